import type { PageRuns } from '@godwit/ports';

/** What one pass of a counting sort tells apart. */
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/**
 * Sorts pages by a key each, and makes runs of them. It keeps its buffers for the next time, as getting memory costs more
 * than sorting does: so one of these is used for one thing at a time, and what it hands out holds until it is filled again.
 */
export class PageSorter {
  /** Filled by the caller: pages, and their keys below 2^32. */
  pages: Uint32Array = new Uint32Array(0);
  keys: Uint32Array = new Uint32Array(0);
  #otherPages: Uint32Array = new Uint32Array(0);
  #otherKeys: Uint32Array = new Uint32Array(0);
  #places: Uint32Array = new Uint32Array(0);
  #runs: Uint32Array = new Uint32Array(0);

  /** Makes room for so many pages; what there was is gone. */
  reserve(pageCount: number): void {
    if (pageCount <= this.pages.length) return;
    const capacity = 2 ** Math.ceil(Math.log2(pageCount));
    this.pages = new Uint32Array(capacity);
    this.keys = new Uint32Array(capacity);
    this.#otherPages = new Uint32Array(capacity);
    this.#otherKeys = new Uint32Array(capacity);
    this.#runs = new Uint32Array(2 * capacity);
  }

  /**
   * Sorts the first `pageCount` pages by ascending key, those of one key as they stand: a counting sort of one pass, or of two
   * where a key is above 65,535. O(pages + keys told apart). Returns where the second half begins, about: no key is on both
   * sides. `pageCount` where all keys are the same, as far as the last pass tells them apart.
   */
  sort(pageCount: number): number {
    const { keys } = this;
    let keyMax = 0;
    for (let index = 0; index < pageCount; index++) {
      const key = keys[index] ?? 0;
      if (key > keyMax) keyMax = key;
    }
    if (keyMax === 0) return pageCount;
    if (keyMax < DIGITS) return this.#sortByDigit(pageCount, 0, keyMax + 1);
    this.#sortByDigit(pageCount, 0, DIGITS);
    return this.#sortByDigit(pageCount, DIGIT_BITS, (keyMax >>> DIGIT_BITS) + 1);
  }

  /** The first `pageCount` pages in the order in which they stand, as runs: a page behind its lower neighbour joins its run. */
  toRuns(pageCount: number): PageRuns {
    const { pages } = this;
    const runs = this.#runs;
    let length = 0;
    let nextPage = -1;
    for (let index = 0; index < pageCount; index++) {
      const page = pages[index] ?? 0;
      if (page === nextPage) {
        runs[length - 1] = (runs[length - 1] ?? 0) + 1;
      } else {
        runs[length] = page;
        runs[length + 1] = 1;
        length += 2;
      }
      nextPage = page + 1;
    }
    return runs.slice(0, length);
  }

  #sortByDigit(pageCount: number, shift: number, digits: number): number {
    const { pages, keys } = this;
    const [sortedPages, sortedKeys] = [this.#otherPages, this.#otherKeys];
    const places = this.#clearedPlaces(digits);
    for (let index = 0; index < pageCount; index++) {
      const digit = ((keys[index] ?? 0) >>> shift) & (DIGITS - 1);
      places[digit] = (places[digit] ?? 0) + 1;
    }
    const half = pageCount >>> 1;
    let [place, split] = [0, 0];
    for (let digit = 0; digit < digits; digit++) {
      const count = places[digit] ?? 0;
      places[digit] = place;
      // The last beginning of a key in the first half, or the first after it.
      if (count > 0 && place > 0 && (place <= half || split === 0)) split = place;
      place += count;
    }
    for (let index = 0; index < pageCount; index++) {
      const key = keys[index] ?? 0;
      const digit = (key >>> shift) & (DIGITS - 1);
      const to = places[digit] ?? 0;
      places[digit] = to + 1;
      sortedPages[to] = pages[index] ?? 0;
      sortedKeys[to] = key;
    }
    this.pages = sortedPages;
    this.keys = sortedKeys;
    this.#otherPages = pages;
    this.#otherKeys = keys;
    return split === 0 ? pageCount : split;
  }

  #clearedPlaces(digits: number): Uint32Array {
    if (this.#places.length < digits) this.#places = new Uint32Array(2 ** Math.ceil(Math.log2(digits)));
    return this.#places.fill(0, 0, digits);
  }
}
