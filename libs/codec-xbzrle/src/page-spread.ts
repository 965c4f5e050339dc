/** 2^32 divided by the golden ratio: spreads neighbouring pages evenly (D. Knuth, TAOCP 3, section 6.4). */
const SPREAD = 0x9e3779b1;

/** Which of so many places is a page's. */
export function spreadPage(page: number, placeCount: number): number {
  return Math.floor(((Math.imul(page, SPREAD) >>> 0) * placeCount) / 2 ** 32);
}
