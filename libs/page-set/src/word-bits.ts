/** How many 32-bit words a bitmap over `pageCount` pages has: enough for every page, and even (see `PageBitmap`). */
export function wordCountOf(pageCount: number): number {
  return 2 * Math.ceil(pageCount / 64);
}

/**
 * How many bits of a 32-bit word are set: the parallel count of H. S. Warren, "Hacker's Delight", 2nd edition,
 * section 5-1.
 */
export function setBitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The index of the lowest set bit of a 32-bit word; 32 for zero. */
export function lowestSetBit(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word);
}
