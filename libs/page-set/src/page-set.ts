import type { Backend, PageBitmap, PageRuns } from '@godwit/ports';
import type { Isa } from './isa.ts';
import { chooseOperations, type PageSetOptions } from './operations-choice.ts';
import type { PageRun } from './page-run.ts';
import { decodePageSet, encodePageSet, type FromBytesOptions } from './page-set-bytes.ts';
import { lowestSetBit, wordCountOf } from './word-bits.ts';
import type { WordOperations } from './word-operations.ts';
import { clearRun, setRun } from './word-runs.ts';

/** Page runs carry their numbers in 32 bits. */
const PAGE_COUNT_MAX = 0xffffffff;

/**
 * A set of page indexes below `pageCount`, one bit each. Operations that change the set work in place and return it, so
 * that they chain; those that take another bitmap take any `PageBitmap` over as many pages. Bits at and beyond
 * `pageCount` stay zero. Whatever touches the words throws TypeError where their buffer was detached or resized.
 */
export class PageSet implements PageBitmap {
  readonly pageCount: number;
  readonly words: Uint32Array;
  readonly #operations: WordOperations;

  private constructor(pageCount: number, words: Uint32Array, operations: WordOperations) {
    this.pageCount = pageCount;
    this.words = words;
    this.#operations = operations;
  }

  /**
   * @throws RangeError where `pageCount` is not an integer between 0 and 2^32 - 1
   * @throws TypeError | GodwitError for options that cannot be met, as everywhere where a set is made
   */
  static empty(pageCount: number, options: PageSetOptions = {}): PageSet {
    checkPageCount(pageCount);
    const wordCount = wordCountOf(pageCount);
    return new PageSet(pageCount, new Uint32Array(wordCount), chooseOperations(wordCount, options));
  }

  /**
   * Every page below `pageCount`.
   * @throws RangeError as `empty` does
   */
  static full(pageCount: number, options: PageSetOptions = {}): PageSet {
    return PageSet.empty(pageCount, options).addRun(0, pageCount);
  }

  /** @throws RangeError for a page that is not an index below `pageCount` */
  static fromPages(pageCount: number, pages: Iterable<number>, options: PageSetOptions = {}): PageSet {
    const set = PageSet.empty(pageCount, options);
    for (const page of pages) set.add(page);
    return set;
  }

  /**
   * The union of runs `[firstPage, pageCount, firstPage, pageCount, ...]` in any order.
   * @throws RangeError for a run outside the pages, or for half a run at the end
   */
  static fromRuns(pageCount: number, runs: PageRuns, options: PageSetOptions = {}): PageSet {
    if (runs.length % 2 !== 0) throw new RangeError(`page runs come in pairs, not in ${runs.length} numbers`);
    const set = PageSet.empty(pageCount, options);
    for (let index = 0; index < runs.length; index += 2) set.addRun(runs[index] ?? 0, runs[index + 1] ?? 0);
    return set;
  }

  /**
   * The set that `toBytes` wrote. The bytes may come from anybody: they are checked, and no more memory is taken than
   * `options.pageCountMax` pages need.
   * @throws GodwitError `ERR_GODWIT_PAGE_SET_MALFORMED` for bytes that are damaged or truncated, or for too many pages
   * @throws TypeError where `bytes` are no `Uint8Array`
   * @throws RangeError for a `pageCountMax` that is not an integer between 0 and 2^32 - 1
   */
  static fromBytes(bytes: Uint8Array, options: FromBytesOptions & PageSetOptions = {}): PageSet {
    const { pageCountMax, ...choice } = options;
    if (pageCountMax !== undefined) checkPageCount(pageCountMax);
    return PageSet.of(decodePageSet(bytes, pageCountMax), choice);
  }

  /**
   * A view of somebody's bitmap: both share `words`, also where these lie in shared memory. A `PageSet` is returned
   * itself, whatever the options.
   * @throws RangeError where the words do not fit `pageCount`, or bits beyond it are set
   * @throws TypeError where the words are no `Uint32Array`
   */
  static of(bitmap: PageBitmap, options: PageSetOptions = {}): PageSet {
    if (bitmap instanceof PageSet) return bitmap;
    const { pageCount, words } = bitmap;
    checkPageCount(pageCount);
    if (!(words instanceof Uint32Array)) throw new TypeError('the words of a bitmap are a Uint32Array');
    if (words.length !== wordCountOf(pageCount)) {
      throw new RangeError(`a bitmap over ${pageCount} pages has ${wordCountOf(pageCount)} words, not ${words.length}`);
    }
    const beyond = pageCount >>> 5;
    if (beyond < words.length) {
      const strayBits =
        ((words[beyond] ?? 0) >>> (pageCount & 31)) | (beyond + 1 < words.length ? (words[beyond + 1] ?? 0) : 0);
      if (strayBits !== 0) throw new RangeError(`the bitmap has bits at or beyond page ${pageCount}`);
    }
    return new PageSet(pageCount, words, chooseOperations(words.length, options));
  }

  /** Who walks over this set: native code, or TypeScript (where that is missing, and for small sets). */
  get backend(): Backend {
    return this.#operations.backend;
  }

  /** The instruction set of the native code; undefined in TypeScript. */
  get isa(): Isa | undefined {
    return this.#operations.isa;
  }

  /** @throws RangeError */
  add(page: number): this {
    const word = this.#wordOf(page);
    this.words[page >>> 5] = word | (1 << (page & 31));
    return this;
  }

  /** @throws RangeError */
  delete(page: number): this {
    const word = this.#wordOf(page);
    this.words[page >>> 5] = word & ~(1 << (page & 31));
    return this;
  }

  /** @throws RangeError */
  has(page: number): boolean {
    return ((this.#wordOf(page) >>> (page & 31)) & 1) === 1;
  }

  /**
   * Adds `pageCount` pages from `firstPage` on; none where `pageCount` is 0.
   * @throws RangeError where the run is not inside the set's pages
   */
  addRun(firstPage: number, pageCount: number): this {
    this.#checkRun(firstPage, pageCount);
    setRun(this.#allWords(), firstPage, pageCount);
    return this;
  }

  /**
   * Takes `pageCount` pages from `firstPage` on out of the set.
   * @throws RangeError where the run is not inside the set's pages
   */
  deleteRun(firstPage: number, pageCount: number): this {
    this.#checkRun(firstPage, pageCount);
    clearRun(this.#allWords(), firstPage, pageCount);
    return this;
  }

  clear(): this {
    this.#allWords().fill(0);
    return this;
  }

  /** How many pages are in the set. */
  count(): number {
    return this.#operations.count(this.#allWords());
  }

  isEmpty(): boolean {
    return this.#operations.nextBit(this.#allWords(), 0, true) >= this.pageCount;
  }

  /** Adds the pages of `other`. @throws RangeError for another number of pages */
  or(other: PageBitmap): this {
    this.#operations.or(this.#allWords(), this.#wordsLike(other));
    return this;
  }

  /** Keeps the pages that `other` has too. @throws RangeError for another number of pages */
  and(other: PageBitmap): this {
    this.#operations.and(this.#allWords(), this.#wordsLike(other));
    return this;
  }

  /** Takes out the pages of `other`. @throws RangeError for another number of pages */
  subtract(other: PageBitmap): this {
    this.#operations.subtract(this.#allWords(), this.#wordsLike(other));
    return this;
  }

  /**
   * Moves the pages of `from` into this set: adds them here, takes them out there, and returns how many `from` held.
   * Where `from` lies in shared memory each word is exchanged atomically, so that a page marked meanwhile by another
   * thread (with `Atomics.or`) is fetched now or stays for the next time, and is never lost.
   * @throws RangeError for another number of pages, or for words that overlap the set's own
   */
  fetchAndClear(from: PageBitmap): number {
    const words = this.#allWords();
    const marks = this.#wordsLike(from);
    const overlaps =
      marks.buffer === words.buffer &&
      marks.byteOffset < words.byteOffset + words.byteLength &&
      words.byteOffset < marks.byteOffset + marks.byteLength;
    if (overlaps) throw new RangeError('a set cannot fetch its own pages');
    return this.#operations.fetchAndClear(words, marks, isShared(marks));
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
    const words = this.#allWords();
    const firstPage = this.#operations.nextBit(words, from, true);
    if (firstPage >= this.pageCount) return undefined;
    const end = this.#operations.nextBit(words, firstPage, false);
    return { firstPage, pageCount: Math.min(end, this.pageCount) - firstPage };
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
    let page = this.#operations.nextBit(this.#allWords(), 0, true);
    while (page < this.pageCount) {
      // Between two pages the buffer may have gone.
      const words = this.#allWords();
      const index = page >>> 5;
      let word = words[index] ?? 0;
      while (word !== 0) {
        yield index * 32 + lowestSetBit(word);
        word &= word - 1;
      }
      const next = (index + 1) * 32;
      page = next < this.pageCount ? this.#operations.nextBit(this.#allWords(), next, true) : this.pageCount;
    }
  }

  /** All runs in ascending order as `[firstPage, pageCount, firstPage, pageCount, ...]`. */
  toRuns(): PageRuns {
    const words = this.#allWords();
    const runs = new Uint32Array(2 * this.#operations.runCount(words));
    const written = this.#operations.fillRuns(words, this.pageCount, runs);
    return written === runs.length ? runs : runs.slice(0, written);
  }

  /** The set as few bytes, for a file or a peer; `PageSet.fromBytes` reads them. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return encodePageSet({ pageCount: this.pageCount, words: this.#allWords() }, this.#operations);
  }

  /** A set of its own with the same pages. */
  clone(): PageSet {
    const words = new Uint32Array(this.words.length);
    words.set(this.#allWords());
    return new PageSet(this.pageCount, words, this.#operations);
  }

  /** Whether `other` has as many page indexes and the same pages. */
  equals(other: PageBitmap): boolean {
    if (other.pageCount !== this.pageCount) return false;
    return this.#operations.equal(this.#allWords(), this.#wordsLike(other));
  }

  #checkRun(firstPage: number, pageCount: number): void {
    if (
      !Number.isInteger(firstPage) ||
      !Number.isInteger(pageCount) ||
      firstPage < 0 ||
      pageCount < 0 ||
      firstPage + pageCount > this.pageCount
    ) {
      throw new RangeError(`the run of ${pageCount} pages from ${firstPage} on is not inside ${this.pageCount} pages`);
    }
  }

  #wordOf(page: number): number {
    if (!Number.isInteger(page) || page < 0 || page >= this.pageCount) {
      throw new RangeError(`page ${page} is not an index below ${this.pageCount}`);
    }
    const word = this.words[page >>> 5];
    if (word === undefined) throw gone();
    return word;
  }

  #allWords(): Uint32Array {
    if (this.words.length !== wordCountOf(this.pageCount)) throw gone();
    return this.words;
  }

  #wordsLike(other: PageBitmap): Uint32Array {
    const { pageCount, words } = other;
    if (!(words instanceof Uint32Array)) throw new TypeError('the words of a bitmap are a Uint32Array');
    if (pageCount !== this.pageCount || words.length !== this.words.length) {
      throw new RangeError(
        `a set of ${this.pageCount} pages in ${this.words.length} words meets one of ${pageCount} in ${words.length}`,
      );
    }
    return words;
  }
}

/** Also where the words come from another realm, whose `SharedArrayBuffer` is another one. */
function isShared({ buffer }: Uint32Array): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}

function gone(): TypeError {
  return new TypeError('the words of the set are gone: their buffer was detached or resized');
}

function checkPageCount(pageCount: number): void {
  if (!Number.isInteger(pageCount) || pageCount < 0 || pageCount > PAGE_COUNT_MAX) {
    throw new RangeError(`a number of pages is an integer between 0 and ${PAGE_COUNT_MAX}, not ${pageCount}`);
  }
}
