import type { PageBitmap, PageRuns } from '@godwit/ports';
import type { PageRun } from './page-run.ts';
import { lowestSetBit, setBitCount, wordCountOf } from './word-bits.ts';

/** Page runs carry their numbers in 32 bits. */
const PAGE_COUNT_MAX = 0xffffffff;
const ALL_BITS = 0xffffffff;

/**
 * A set of page indexes below `pageCount`, one bit each. Operations that change the set work in place and return it, so
 * that they chain; those that take another bitmap take any `PageBitmap` over as many pages. Bits at and beyond
 * `pageCount` stay zero.
 */
export class PageSet implements PageBitmap {
  readonly pageCount: number;
  readonly words: Uint32Array;

  private constructor(pageCount: number, words: Uint32Array) {
    this.pageCount = pageCount;
    this.words = words;
  }

  /** @throws RangeError where `pageCount` is not an integer between 0 and 2^32 - 1 */
  static empty(pageCount: number): PageSet {
    checkPageCount(pageCount);
    return new PageSet(pageCount, new Uint32Array(wordCountOf(pageCount)));
  }

  /**
   * Every page below `pageCount`.
   * @throws RangeError as `empty` does
   */
  static full(pageCount: number): PageSet {
    return PageSet.empty(pageCount).addRun(0, pageCount);
  }

  /** @throws RangeError for a page that is not an index below `pageCount` */
  static fromPages(pageCount: number, pages: Iterable<number>): PageSet {
    const set = PageSet.empty(pageCount);
    for (const page of pages) set.add(page);
    return set;
  }

  /**
   * The union of runs `[firstPage, pageCount, firstPage, pageCount, ...]` in any order.
   * @throws RangeError for a run outside the pages, or for half a run at the end
   */
  static fromRuns(pageCount: number, runs: PageRuns): PageSet {
    if (runs.length % 2 !== 0) throw new RangeError(`page runs come in pairs, not in ${runs.length} numbers`);
    const set = PageSet.empty(pageCount);
    for (let index = 0; index < runs.length; index += 2) set.addRun(runs[index] ?? 0, runs[index + 1] ?? 0);
    return set;
  }

  /**
   * A view of somebody's bitmap: both share `words`, also where these lie in shared memory.
   * @throws RangeError where the words do not fit `pageCount`, or bits beyond it are set
   */
  static of(bitmap: PageBitmap): PageSet {
    if (bitmap instanceof PageSet) return bitmap;
    const { pageCount, words } = bitmap;
    checkPageCount(pageCount);
    if (words.length !== wordCountOf(pageCount)) {
      throw new RangeError(`a bitmap over ${pageCount} pages has ${wordCountOf(pageCount)} words, not ${words.length}`);
    }
    const set = new PageSet(pageCount, words);
    const beyond = pageCount >>> 5;
    if (beyond < words.length) {
      const strayBits =
        ((words[beyond] ?? 0) >>> (pageCount & 31)) | (beyond + 1 < words.length ? (words[beyond + 1] ?? 0) : 0);
      if (strayBits !== 0) throw new RangeError(`the bitmap has bits at or beyond page ${pageCount}`);
    }
    return set;
  }

  /** @throws RangeError */
  add(page: number): this {
    this.#checkPage(page);
    const index = page >>> 5;
    this.words[index] = (this.words[index] ?? 0) | (1 << (page & 31));
    return this;
  }

  /** @throws RangeError */
  delete(page: number): this {
    this.#checkPage(page);
    const index = page >>> 5;
    this.words[index] = (this.words[index] ?? 0) & ~(1 << (page & 31));
    return this;
  }

  /** @throws RangeError */
  has(page: number): boolean {
    this.#checkPage(page);
    return (((this.words[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
  }

  /**
   * Adds `pageCount` pages from `firstPage` on; none where `pageCount` is 0.
   * @throws RangeError where the run is not inside the set's pages
   */
  addRun(firstPage: number, pageCount: number): this {
    this.#forWordsOfRun(firstPage, pageCount, (word, mask) => word | mask, ALL_BITS);
    return this;
  }

  /**
   * Takes `pageCount` pages from `firstPage` on out of the set.
   * @throws RangeError where the run is not inside the set's pages
   */
  deleteRun(firstPage: number, pageCount: number): this {
    this.#forWordsOfRun(firstPage, pageCount, (word, mask) => word & ~mask, 0);
    return this;
  }

  clear(): this {
    this.words.fill(0);
    return this;
  }

  /** How many pages are in the set. */
  count(): number {
    const words = this.words;
    let pages = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) pages += setBitCount(word);
    }
    return pages;
  }

  isEmpty(): boolean {
    const words = this.words;
    for (let index = 0; index < words.length; index++) if (words[index] !== 0) return false;
    return true;
  }

  /** Adds the pages of `other`. @throws RangeError for another number of pages */
  or(other: PageBitmap): this {
    this.#checkSameCount(other);
    const [words, others] = [this.words, other.words];
    for (let index = 0; index < words.length; index++) {
      const added = others[index] ?? 0;
      if (added !== 0) words[index] = (words[index] ?? 0) | added;
    }
    return this;
  }

  /** Keeps the pages that `other` has too. @throws RangeError for another number of pages */
  and(other: PageBitmap): this {
    this.#checkSameCount(other);
    const [words, others] = [this.words, other.words];
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) words[index] = word & (others[index] ?? 0);
    }
    return this;
  }

  /** Takes out the pages of `other`. @throws RangeError for another number of pages */
  subtract(other: PageBitmap): this {
    this.#checkSameCount(other);
    const [words, others] = [this.words, other.words];
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) words[index] = word & ~(others[index] ?? 0);
    }
    return this;
  }

  /**
   * Moves the pages of `from` into this set: adds them here, takes them out there, and returns how many `from` held.
   * Where `from` lies in shared memory each word is exchanged atomically, so that a page marked meanwhile by another
   * thread (with `Atomics.or`) is fetched now or stays for the next time, and is never lost.
   * @throws RangeError for another number of pages, or for the set itself
   */
  fetchAndClear(from: PageBitmap): number {
    this.#checkSameCount(from);
    if (from.words === this.words) throw new RangeError('a set cannot fetch its own pages');
    const [words, marks] = [this.words, from.words];
    const shared = typeof SharedArrayBuffer !== 'undefined' && marks.buffer instanceof SharedArrayBuffer;
    let fetched = 0;
    for (let index = 0; index < words.length; index++) {
      if (marks[index] === 0) continue;
      const mark = shared ? Atomics.exchange(marks, index, 0) : (marks[index] ?? 0);
      if (!shared) marks[index] = 0;
      words[index] = (words[index] ?? 0) | mark;
      fetched += setBitCount(mark);
    }
    return fetched;
  }

  /**
   * The first run of pages at or after `from`; a run that begins before `from` is cut there. Undefined where there is
   * none.
   * @throws RangeError where `from` is not an integer between 0 and `pageCount`
   */
  nextRun(from = 0): PageRun | undefined {
    if (!Number.isInteger(from) || from < 0 || from > this.pageCount) {
      throw new RangeError(`page ${from} is not between 0 and ${this.pageCount}`);
    }
    const firstPage = this.#nextBit(from, 0);
    if (firstPage >= this.pageCount) return undefined;
    return { firstPage, pageCount: Math.min(this.#nextBit(firstPage, ALL_BITS), this.pageCount) - firstPage };
  }

  /** The runs in ascending order, each as long as it can be. The set must not change meanwhile. */
  *runs(): IterableIterator<PageRun> {
    let run = this.nextRun();
    while (run !== undefined) {
      yield run;
      run = this.nextRun(run.firstPage + run.pageCount);
    }
  }

  /** The pages in ascending order. The set must not change meanwhile. */
  *pages(): IterableIterator<number> {
    const words = this.words;
    for (let index = 0; index < words.length; index++) {
      let word = words[index] ?? 0;
      while (word !== 0) {
        yield index * 32 + lowestSetBit(word);
        word &= word - 1;
      }
    }
  }

  /** All runs in ascending order as `[firstPage, pageCount, firstPage, pageCount, ...]`. */
  toRuns(): PageRuns {
    const runs = new Uint32Array(2 * this.#runCount());
    let at = 0;
    let firstPage = this.#nextBit(0, 0);
    while (firstPage < this.pageCount) {
      const end = Math.min(this.#nextBit(firstPage, ALL_BITS), this.pageCount);
      runs[at++] = firstPage;
      runs[at++] = end - firstPage;
      firstPage = this.#nextBit(end, 0);
    }
    return runs;
  }

  /** A set of its own with the same pages. */
  clone(): PageSet {
    const words = new Uint32Array(this.words.length);
    words.set(this.words);
    return new PageSet(this.pageCount, words);
  }

  /** Whether `other` has as many page indexes and the same pages. */
  equals(other: PageBitmap): boolean {
    if (other.pageCount !== this.pageCount || other.words.length !== this.words.length) return false;
    const [words, others] = [this.words, other.words];
    for (let index = 0; index < words.length; index++) if (words[index] !== others[index]) return false;
    return true;
  }

  /** First page at or after `from` whose bit differs from `skipped`'s (0 or all ones); at least `pageCount` if none. */
  #nextBit(from: number, skipped: number): number {
    const words = this.words;
    const flip = skipped | 0;
    let index = from >>> 5;
    if (index >= words.length) return this.pageCount;
    let word = ((words[index] ?? 0) ^ flip) & (ALL_BITS << (from & 31));
    while (word === 0) {
      if (++index >= words.length) return this.pageCount;
      word = (words[index] ?? 0) ^ flip;
    }
    return index * 32 + lowestSetBit(word);
  }

  /** A run begins at every set bit whose lower neighbour is clear. */
  #runCount(): number {
    const words = this.words;
    let runs = 0;
    let carried = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) runs += setBitCount(word & ~((word << 1) | carried));
      carried = word >>> 31;
    }
    return runs;
  }

  #forWordsOfRun(
    firstPage: number,
    pageCount: number,
    join: (word: number, mask: number) => number,
    whole: number,
  ): void {
    const end = firstPage + pageCount;
    if (
      !Number.isInteger(firstPage) ||
      !Number.isInteger(pageCount) ||
      firstPage < 0 ||
      pageCount < 0 ||
      end > this.pageCount
    ) {
      throw new RangeError(`the run of ${pageCount} pages from ${firstPage} on is not inside ${this.pageCount} pages`);
    }
    if (pageCount === 0) return;
    const words = this.words;
    const [first, last] = [firstPage >>> 5, (end - 1) >>> 5];
    const head = ALL_BITS << (firstPage & 31);
    const tail = ALL_BITS >>> (31 - ((end - 1) & 31));
    if (first === last) {
      words[first] = join(words[first] ?? 0, head & tail);
      return;
    }
    words[first] = join(words[first] ?? 0, head);
    words.fill(whole, first + 1, last);
    words[last] = join(words[last] ?? 0, tail);
  }

  #checkPage(page: number): void {
    if (!Number.isInteger(page) || page < 0 || page >= this.pageCount) {
      throw new RangeError(`page ${page} is not an index below ${this.pageCount}`);
    }
  }

  #checkSameCount(other: PageBitmap): void {
    if (other.pageCount !== this.pageCount || other.words.length !== this.words.length) {
      throw new RangeError(`a set of ${this.pageCount} pages meets one of ${other.pageCount}`);
    }
  }
}

function checkPageCount(pageCount: number): void {
  if (!Number.isInteger(pageCount) || pageCount < 0 || pageCount > PAGE_COUNT_MAX) {
    throw new RangeError(`a number of pages is an integer between 0 and ${PAGE_COUNT_MAX}, not ${pageCount}`);
  }
}
