/**
 * What a resident page holds, as a function of kind, seed and page index: made once, and made again to check it.
 *
 * @typedef {import('../src/portable-config.ts').ContentKind} ContentKind
 */

const WORDS = Array.from(
  'the guest moves while packets keep flowing and nobody who talks to it notices, for memory goes first by rounds of pages that were written since they were sent, then processors and devices; '.matchAll(
    /\S+\s/g,
  ),
  ([word]) => Buffer.from(word, 'latin1'),
);

/** Beginnings of x86-64 instructions; what follows are operands. */
const OPCODES = [
  [0x48, 0x89],
  [0x48, 0x8b],
  [0x0f, 0x1f, 0x44, 0x00],
  [0xe8],
  [0x48, 0x83, 0xec],
  [0x55, 0x48, 0x89, 0xe5],
  [0x41, 0x57],
  [0xc3, 0x90],
  [0x0f, 0x84],
  [0x48, 0x8d, 0x05],
].map((bytes) => Uint8Array.from(bytes));

/**
 * The next of a row of 32-bit numbers: xorshift32 (G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14),
 * 2003). Never zero for a state that is not zero.
 * @param {number} state
 */
export function nextRandom(state) {
  let next = state;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}

/**
 * A state that is not zero, of which neighbouring pages have very different ones: the finaliser of MurmurHash3 (A. Appleby,
 * public domain).
 * @param {number} seed
 * @param {number} page
 */
function stateOf(seed, page) {
  let mixed = (Math.imul(page + 1, 0x9e3779b1) ^ seed) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return mixed === 0 ? 1 : mixed;
}

/**
 * Writes the content of a page.
 * @param {Uint8Array} bytes the page; its start is a multiple of 4 in its buffer
 * @param {ContentKind} kind
 * @param {number} seed
 * @param {number} page
 */
export function fillPage(bytes, kind, seed, page) {
  const state = stateOf(seed, page);
  switch (kind) {
    case 'zero':
      bytes.fill(0);
      return;
    case 'random':
      fillRandom(bytes, state);
      return;
    case 'text':
      fillPieces(bytes, state, WORDS, 0);
      return;
    case 'code':
      fillPieces(bytes, state, OPCODES, 3);
      return;
    case 'mixed': {
      // Of ten pages one is zero, and three each are text, code and random.
      const share = state % 10;
      if (share === 0) bytes.fill(0);
      else if (share < 4) fillPieces(bytes, state, WORDS, 0);
      else if (share < 7) fillPieces(bytes, state, OPCODES, 3);
      else fillRandom(bytes, state);
    }
  }
}

/** @param {Uint8Array} bytes @param {number} seed */
function fillRandom(bytes, seed) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let state = seed;
  for (let index = 0; index < words.length; index++) {
    state = nextRandom(state);
    words[index] = state;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} seed
 * @param {readonly Uint8Array[]} pieces
 * @param {number} operandBytesMax
 */
function fillPieces(bytes, seed, pieces, operandBytesMax) {
  let state = seed;
  let at = 0;
  while (at < bytes.length) {
    state = nextRandom(state);
    const piece = pieces[state % pieces.length];
    for (let index = 0; piece !== undefined && index < piece.length && at < bytes.length; index++) {
      bytes[at++] = piece[index] ?? 0;
    }
    const operandBytes = operandBytesMax === 0 ? 0 : (state >>> 8) % (operandBytesMax + 1);
    for (let index = 0; index < operandBytes && at < bytes.length; index++)
      bytes[at++] = (state >>> (12 + index)) & 0xff;
  }
}
