import { PageSet } from '@godwit/page-set';
import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { OrderJudge } from './order-judge.ts';
import { PageSorter } from './page-sorter.ts';

/** How a priority order behaves; everything has a default. */
export interface PriorityOrderOptions {
  /** Bits of a page's priority: 2^bits - 1 times dirty is as low as it gets. 1 to 16; default 4. */
  readonly bits?: number;
  /**
   * After so many observations the count of every page halves, so that one that has cooled down rises again; default
   * never, as in the thesis.
   */
  readonly halveAfter?: number;
}

/**
 * The priority bitmap of dynamic page transfer reordering: P. Svärd, J. Tordsson, B. Hudzia, E. Elmroth, "High Performance
 * Live Migration through Dynamic Page Transfer Reordering and Compression", CloudCom 2011, pages 542-548; summed up in
 * P. Svärd, "Live VM Migration: Principles and Performance", licentiate thesis, Umeå University 2012, section 4.2. Each
 * time a page is found dirty it goes down in priority; pages are sent by descending priority, so that what is written most
 * often is sent at the end. Pages of one priority go by address.
 *
 * The priorities are counts that stop at their maximum, kept as bit planes: plane k holds bit k of the count of every page,
 * and 32 pages are counted at once by adding the dirty word to the planes with carry. Ours differs from the thesis in that
 * counts may be halved (`halveAfter`).
 *
 * Costs `bits` bits a page of the memory, of which the system provides only what was ever dirty. `observe` looks once at
 * each word of its bitmap, else it is O(words that hold dirty pages); `arrange` is O(pending pages) likewise.
 */
export class PriorityOrder implements PageOrder {
  readonly name = 'priority';
  readonly #bits: number;
  readonly #halveAfter: number;
  #pageCount: number | undefined;
  /** From the lowest bit up. */
  #planes: Uint32Array[] = [];
  #observations = 0;
  readonly #sorter: PageSorter = new PageSorter();
  #judge: OrderJudge | undefined;

  /** @throws RangeError */
  constructor(options: PriorityOrderOptions = {}) {
    const { bits = 4, halveAfter = Number.POSITIVE_INFINITY } = options;
    if (!Number.isInteger(bits) || bits < 1 || bits > 16) throw new RangeError(`bits is between 1 and 16, not ${bits}`);
    if (!(halveAfter >= 1)) throw new RangeError(`halveAfter is at least 1, not ${halveAfter}`);
    this.#bits = bits;
    this.#halveAfter = halveAfter;
  }

  /** @throws RangeError for a bitmap over another number of pages than before */
  observe(dirty: PageBitmap): void {
    const { words, pageCount } = PageSet.of(dirty);
    this.#checkPageCount(pageCount);
    if (this.#pageCount === undefined) {
      this.#pageCount = pageCount;
      this.#planes = Array.from({ length: this.#bits }, () => new Uint32Array(words.length));
    }
    if (this.#observations > 0 && this.#observations % this.#halveAfter < 1) this.#halve();
    this.#observations++;
    this.#judge ??= new OrderJudge(pageCount);
    this.#judge.observe(words);
    const planes = this.#planes;
    for (let index = 0; index < words.length; index++) {
      let carry = words[index] ?? 0;
      if (carry === 0) continue;
      let full = carry;
      for (const plane of planes) full &= plane[index] ?? 0;
      carry &= ~full;
      for (const plane of planes) {
        const bits = plane[index] ?? 0;
        plane[index] = bits ^ carry;
        carry &= bits;
      }
    }
  }

  /** @throws RangeError for a bitmap over another number of pages than those observed */
  arrange(pending: PageBitmap): PageRuns {
    const set = PageSet.of(pending);
    if (this.#judge === undefined) return set.toRuns();
    this.#checkPageCount(set.pageCount);
    this.#judge.judge();
    const pageCount = this.#fill(set);
    const split = this.#sorter.sort(pageCount);
    this.#judge.claim(this.#sorter.pages.subarray(0, pageCount), split);
    return this.#judge.trusted ? this.#sorter.toRuns(pageCount) : set.toRuns();
  }

  /** The pending pages, and how often each was found dirty, as far as that is counted, as keys. How many there are. */
  #fill(set: PageSet): number {
    const { words } = set;
    const expected = set.count();
    this.#sorter.reserve(expected);
    const { pages, keys } = this.#sorter;
    const planes = this.#planes;
    const bits = new Uint32Array(planes.length);
    let length = 0;
    for (let index = 0; index < words.length; index++) {
      let word = words[index] ?? 0;
      if (word === 0) continue;
      for (let plane = 0; plane < bits.length; plane++) bits[plane] = planes[plane]?.[index] ?? 0;
      for (const base = index * 32; word !== 0; word &= word - 1) {
        const bit = 31 - Math.clz32(word & -word);
        let count = 0;
        for (let plane = 0; plane < bits.length; plane++) count |= (((bits[plane] ?? 0) >>> bit) & 1) << plane;
        pages[length] = base + bit;
        keys[length++] = count;
      }
    }
    // More than were counted, if somebody adds pages to a shared bitmap meanwhile.
    return Math.min(length, expected);
  }

  /** The lowest plane goes, the others move down by one. */
  #halve(): void {
    const lowest = this.#planes.shift();
    // A new one is zero without a walk over it.
    if (lowest !== undefined) this.#planes.push(new Uint32Array(lowest.length));
  }

  #checkPageCount(pageCount: number): void {
    if (this.#pageCount !== undefined && pageCount !== this.#pageCount) {
      throw new RangeError(`a bitmap over ${pageCount} pages after one over ${this.#pageCount}`);
    }
  }
}

/**
 * A new `PriorityOrder`; one for each migration.
 * @throws RangeError
 */
export function priorityOrder(options: PriorityOrderOptions = {}): PageOrder {
  return new PriorityOrder(options);
}
