/** Every code a `GodwitError` may carry, with what it means. Codes never change their meaning. */
export const ERROR_CODES = {
  ERR_GODWIT_CAPSULE_MISMATCH: 'two packages do not speak the same capsule version; install the same major version',
  ERR_GODWIT_UNSUPPORTED: 'this machine or this build lacks what was asked for',
  ERR_GODWIT_NATIVE_FAILED: 'native code failed; the cause names the system call',
  ERR_GODWIT_CONNECT_FAILED: 'no connection to the peer',
  ERR_GODWIT_LISTEN_FAILED: 'cannot listen there, as when the port is in use',
  ERR_GODWIT_CONNECTION_CLOSED: 'the connection was closed or broke',
  ERR_GODWIT_PEER_TIMEOUT: 'the peer said nothing for too long',
  ERR_GODWIT_INTERRUPTED: 'the transfer was ended from this side',
  ERR_GODWIT_PROTOCOL: 'the peer sent what the protocol does not allow at this point',
  ERR_GODWIT_PROTOCOL_VERSION: 'the peer speaks another version of the protocol',
  ERR_GODWIT_TOKEN: 'the peer does not know the token',
  ERR_GODWIT_PAGE_SIZE: 'the two sides have different page sizes',
  ERR_GODWIT_MEMORY_SIZE: 'the two sides have different memory sizes or layouts',
  ERR_GODWIT_MEMORY_SHORT: 'the destination does not have the memory',
  ERR_GODWIT_GUEST_KIND: 'the destination cannot run this kind of guest',
  ERR_GODWIT_CODEC_MISMATCH: 'the destination does not have the codec',
  ERR_GODWIT_PAGE_RANGE: 'a page index outside the memory',
  ERR_GODWIT_FRAME_MALFORMED: 'a frame that is damaged, truncated or too large',
  ERR_GODWIT_DELTA_MALFORMED: 'a delta that is damaged',
  ERR_GODWIT_STATE_INVALID: 'execution state of another size or version, or damaged',
  ERR_GODWIT_REFUSED: 'the destination refused the guest; the message says why',
  ERR_GODWIT_PEER_FAILED: 'the peer gave up; the message says why',
  ERR_GODWIT_IN_DOUBT: 'the destination may run the guest: the source stays frozen until it answers or is proved dead',
  ERR_GODWIT_GUEST_LOST: 'no surviving process holds every newest page',
  ERR_GODWIT_VERIFY_FAILED: 'memory at the destination differs from the source',
  ERR_GODWIT_GUEST_STOPPED: 'the guest program ended or crashed',
  ERR_GODWIT_NOT_TRACKING: 'writes are recorded from start on, and not before it',
  ERR_GODWIT_CLOSED: 'used after close',
} as const;

/** A code of the table. */
export type ErrorCode = keyof typeof ERROR_CODES;
