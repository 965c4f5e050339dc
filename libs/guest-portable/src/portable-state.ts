import { GodwitError } from '@godwit/ports';

/** Execution state of a portable guest. Everything else is in its memory. */
export interface PortableState {
  readonly program: number;
  readonly pageCount: number;
  /** The step count of the control block that belongs to it, so that an old one is noticed. */
  readonly steps: bigint;
}

/** Bytes of a saved state. */
export const PORTABLE_STATE_BYTES = 32;
const MAGIC = 0x53504447;
const VERSION = 1;
const CHECKSUM_AT = PORTABLE_STATE_BYTES - 4;

/**
 * Little-endian: `u32` magic `GDPS`, `u16` version, `u16` program, `u32` page count, `u32` zero, `u64` steps, `u32` zero,
 * `u32` FNV-1a of what stands before it (G. Fowler, L. C. Noll, K.-P. Vo, RFC 9923).
 */
export function encodePortableState(state: PortableState): Uint8Array {
  const bytes = new Uint8Array(PORTABLE_STATE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, state.program, true);
  view.setUint32(8, state.pageCount, true);
  view.setBigUint64(16, state.steps, true);
  view.setUint32(CHECKSUM_AT, checksumOf(bytes), true);
  return bytes;
}

/** @throws GodwitError `ERR_GODWIT_STATE_INVALID` for anything that `encodePortableState` would not write */
export function decodePortableState(bytes: Uint8Array): PortableState {
  if (bytes.length !== PORTABLE_STATE_BYTES) {
    throw invalid(`${bytes.length} bytes of state, not ${PORTABLE_STATE_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw invalid('not the state of a portable guest');
  const version = view.getUint16(4, true);
  if (version !== VERSION) throw invalid(`state of version ${version}, not ${VERSION}`);
  if (view.getUint32(CHECKSUM_AT, true) !== checksumOf(bytes)) throw invalid('the state is damaged');
  if (view.getUint32(12, true) !== 0 || view.getUint32(24, true) !== 0) throw invalid('the state has stray bytes');
  return {
    program: view.getUint16(6, true),
    pageCount: view.getUint32(8, true),
    steps: view.getBigUint64(16, true),
  };
}

function checksumOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes.subarray(0, CHECKSUM_AT)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function invalid(message: string): GodwitError {
  return new GodwitError('ERR_GODWIT_STATE_INVALID', message);
}
