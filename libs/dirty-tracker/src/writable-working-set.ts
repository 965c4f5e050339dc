import { PageSet } from '@godwit/page-set';
import type { PageBitmap, PageRuns } from '@godwit/ports';
import { PageSorter } from './page-sorter.ts';

/** What one collection reported. */
interface Observation {
  readonly atMs: number;
  readonly runs: PageRuns;
}

/**
 * The writable working set: the pages that a guest wrote during the last `windowMs`, as far as collections tell (C. Clark et
 * al., "Live Migration of Virtual Machines", NSDI 2005, section 4, where it is what pre-copy cannot send ahead). Also the
 * hot set of a given size: those of its pages that the next collections will most likely report.
 *
 * `observe` costs O(pages it adds to the window or takes out of it) besides one look at each word of its bitmap. Kept are
 * the runs of each observation in the window, and four bytes a page of the memory, of which the system provides only what
 * was ever dirty.
 */
export class WritableWorkingSet {
  /** How many pages the memory has. */
  readonly pageCount: number;
  readonly windowMs: number;
  /** In how many observations of the window each page is. */
  readonly #seenCounts: Uint32Array;
  readonly #window: Observation[] = [];
  #size = 0;
  #nowMs = Number.NEGATIVE_INFINITY;

  /** @throws RangeError where the window is not positive, or `pageCount` no number of pages */
  constructor(pageCount: number, windowMs = 1000) {
    if (!(windowMs > 0)) throw new RangeError(`a window of ${windowMs} ms`);
    if (!Number.isInteger(pageCount) || pageCount < 0 || pageCount > 0xffffffff) {
      throw new RangeError(`a memory of ${pageCount} pages`);
    }
    this.pageCount = pageCount;
    this.windowMs = windowMs;
    this.#seenCounts = new Uint32Array(pageCount);
  }

  /**
   * A collection at `nowMs` reported `dirty`. What was observed `windowMs` before or earlier is forgotten.
   * @throws RangeError where time runs backwards, or for a bitmap over another number of pages
   */
  observe(dirty: PageBitmap, nowMs: number): void {
    if (dirty.pageCount !== this.pageCount) {
      throw new RangeError(`a bitmap over ${dirty.pageCount} pages for a memory of ${this.pageCount}`);
    }
    if (!(nowMs >= this.#nowMs)) throw new RangeError(`${nowMs} ms after ${this.#nowMs} ms`);
    const runs = PageSet.of(dirty).toRuns();
    this.#nowMs = nowMs;
    this.#window.push({ atMs: nowMs, runs });
    this.#size += this.#count(runs, 1);
    const kept = this.#window.findIndex(({ atMs }) => atMs > nowMs - this.windowMs);
    for (const expired of this.#window.splice(0, kept)) this.#size += this.#count(expired.runs, -1);
  }

  /** Of how many pages the set consists, as of the last observation. */
  get size(): number {
    return this.#size;
  }

  /** The pages of the set, as of the last observation. */
  pages(): PageSet {
    const pages = PageSet.empty(this.pageCount);
    for (const { runs } of this.#window) {
      for (let index = 0; index < runs.length; index += 2) pages.addRun(runs[index] ?? 0, runs[index + 1] ?? 0);
    }
    return pages;
  }

  /**
   * The hot set: so many pages of the set (all of them if it is smaller), in the order of their heat. Hotter is what was in
   * more observations of the window; of equals, what was in a newer one, and then what has the lower address.
   * O(pages observed in the window).
   * @throws RangeError where `pageCount` is no whole number of at least 0
   */
  hottest(pageCount: number): PageRuns {
    if (!Number.isSafeInteger(pageCount) || pageCount < 0) throw new RangeError(`a hot set of ${pageCount} pages`);
    const counts = this.#seenCounts;
    const countMax = this.#window.length;
    const sorter = new PageSorter();
    sorter.reserve(this.#size);
    const { pages: newestFirst, keys: coldness } = sorter;
    let length = 0;
    for (const { runs } of this.#window.toReversed()) {
      for (let index = 0; index < runs.length; index += 2) {
        const first = runs[index] ?? 0;
        const end = first + (runs[index + 1] ?? 0);
        for (let page = first; page < end; page++) {
          const count = counts[page] ?? 0;
          // Met already, in a newer observation.
          if (count === 0) continue;
          counts[page] = 0;
          newestFirst[length] = page;
          coldness[length++] = countMax - count;
        }
      }
    }
    for (let index = 0; index < length; index++) counts[newestFirst[index] ?? 0] = countMax - (coldness[index] ?? 0);
    sorter.sort(length);
    return sorter.toRuns(Math.min(pageCount, length));
  }

  /** Counts an observation in or out; how many pages came or went by it. */
  #count(runs: PageRuns, by: 1 | -1): number {
    const counts = this.#seenCounts;
    let changed = 0;
    for (let index = 0; index < runs.length; index += 2) {
      const first = runs[index] ?? 0;
      const end = first + (runs[index + 1] ?? 0);
      for (let page = first; page < end; page++) {
        const before = counts[page] ?? 0;
        counts[page] = before + by;
        if (before + by === 0 || before === 0) changed += by;
      }
    }
    return changed;
  }
}
