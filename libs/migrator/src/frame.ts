import { GodwitError } from '@godwit/ports';
import crc32cModule from 'crc-32/crc32c.js';

/** Version of the wire protocol, told in HELLO. */
export const PROTOCOL_VERSION = 1;

/** Frame types by name; `native/frame.rs` specifies each. Zero is never a type. */
export const FRAME = {
  HELLO: 1,
  ADMIT: 2,
  REFUSE: 3,
  PAGES: 4,
  ZERO: 5,
  DELTA: 6,
  SYNC: 7,
  SYNCED: 8,
  STATE: 9,
  READY: 10,
  COMMIT: 11,
  RUNNING: 12,
  QUERY: 13,
  STARTED: 14,
  RENOUNCED: 15,
  DIGEST: 16,
  DIGEST_END: 17,
  VERIFIED: 18,
  FAILED: 19,
  UNKNOWN: 20,
  LATE: 21,
  DONE: 22,
} as const;

export type FrameName = keyof typeof FRAME;

export const HEADER_BYTES = 24;
export const BODY_BYTES_MAX: number = 2 << 20;
export const RAW_BYTES_MAX: number = 4 << 20;
/** A page travels whole in one frame, so that no larger one can. */
export const PAGE_SIZE_BYTES_MAX: number = RAW_BYTES_MAX;
const MAGIC = 0x54574447;

const NAMES = new Map<number, FrameName>(Object.entries(FRAME).map(([name, code]) => [code, name as FrameName]));

export interface FrameHeader {
  readonly name: FrameName;
  readonly sequence: number;
  readonly bodyBytes: number;
  readonly rawBytes: number;
  readonly checksum: number;
}

/** The 24 bytes before a body; the checksum covers the first 20 of them and the body. */
export function encodeHeader(name: FrameName, sequence: number, body: Uint8Array, rawBytes: number): Uint8Array {
  if (body.length > BODY_BYTES_MAX || rawBytes > RAW_BYTES_MAX) {
    throw new RangeError(`a ${name} frame of ${body.length} + ${rawBytes} bytes is too large`);
  }
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, FRAME[name]);
  view.setUint32(8, sequence, true);
  view.setUint32(12, body.length, true);
  view.setUint32(16, rawBytes, true);
  view.setUint32(20, checksumOf(header, body), true);
  return header;
}

/**
 * Reads a header, refusing one that no later bytes could make right.
 * @throws GodwitError `ERR_GODWIT_FRAME_MALFORMED`
 */
export function decodeHeader(header: Uint8Array, expectedSequence: number): FrameHeader {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  const name = NAMES.get(view.getUint8(4));
  const [sequence, bodyBytes, rawBytes] = [view.getUint32(8, true), view.getUint32(12, true), view.getUint32(16, true)];
  const sound =
    view.getUint32(0, true) === MAGIC &&
    header[5] === 0 &&
    header[6] === 0 &&
    header[7] === 0 &&
    sequence === expectedSequence &&
    bodyBytes <= BODY_BYTES_MAX &&
    rawBytes <= RAW_BYTES_MAX &&
    (rawBytes === 0 || name === 'PAGES');
  if (name === undefined || !sound) {
    throw new GodwitError(
      'ERR_GODWIT_FRAME_MALFORMED',
      'what arrived is not a frame of this protocol, or out of sequence',
    );
  }
  return { name, sequence, bodyBytes, rawBytes, checksum: view.getUint32(20, true) };
}

/** @throws GodwitError `ERR_GODWIT_FRAME_MALFORMED` if header and body are not as they were sent */
export function checkBody(headerBytes: Uint8Array, header: FrameHeader, body: Uint8Array): void {
  if (checksumOf(headerBytes, body) !== header.checksum) {
    throw new GodwitError('ERR_GODWIT_FRAME_MALFORMED', `a ${header.name} frame was damaged on its way`);
  }
}

function checksumOf(header: Uint8Array, body: Uint8Array): number {
  return crc32cModule.buf(body, crc32cModule.buf(header.subarray(0, 20))) >>> 0;
}
