/** Whether the bytes from `start` up to `end` of a memory are all zero. */
export type IsZeroBlock = (start: number, end: number) => boolean;

const ZERO_BYTES_LENGTH = 65_536;
let zeroBytes: Uint8Array | undefined;

/**
 * The fastest check of `memory` that JavaScript has here: `Buffer.compare` with zero bytes (a `memcmp`) under Node.js,
 * else words of 32 bits.
 */
export function zeroBlockCheck(memory: Uint8Array): IsZeroBlock {
  return typeof Buffer === 'undefined' ? zeroWordCheck(memory) : zeroCompareCheck(memory);
}

/** By comparison with zero bytes; needs Node.js. */
export function zeroCompareCheck(memory: Uint8Array): IsZeroBlock {
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
  zeroBytes ??= new Uint8Array(ZERO_BYTES_LENGTH);
  const zeros = zeroBytes;
  return (start, end) => {
    for (let at = start; at < end; at += ZERO_BYTES_LENGTH) {
      const length = Math.min(ZERO_BYTES_LENGTH, end - at);
      if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false;
    }
    return true;
  };
}

const WORDS_PER_STRIDE = 16;

/**
 * By words of 32 bits, joined by OR in strides. `start` and `end` must be 64 bytes' multiples. A memory that does not
 * begin at a word's address is read byte by byte.
 */
export function zeroWordCheck(memory: Uint8Array): IsZeroBlock {
  const aligned = memory.byteOffset % 4 === 0;
  const lanes = aligned ? new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >>> 2) : memory;
  const laneBytes = aligned ? 4 : 1;
  return (start, end) => {
    const last = end / laneBytes;
    for (let at = start / laneBytes; at < last; at += WORDS_PER_STRIDE) {
      let sum = 0;
      for (let lane = at; lane < at + WORDS_PER_STRIDE; lane++) sum |= lanes[lane] ?? 0;
      if (sum !== 0) return false;
    }
    return true;
  };
}
