/**
 * One bit a page: page i is bit `i % 32` of `words[i / 32 | 0]`. `words` has an even length, so that the same memory
 * reads as 64-bit little-endian words in native code. Bits at and beyond `pageCount` are zero.
 *
 * `@godwit/page-set` gives it its operations.
 */
export interface PageBitmap {
  readonly pageCount: number;
  readonly words: Uint32Array;
}

/**
 * Pages in the order in which they shall be handled, as pairs `[firstPage, pageCount, firstPage, pageCount, ...]`.
 */
export type PageRuns = Uint32Array;
