import { PageSet } from '@godwit/page-set';
import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { OrderJudge } from './order-judge.ts';
import { listPages, runsOfPages, sortPages } from './page-list.ts';

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
    this.#judge.observe(listPages(dirty));
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
    if (this.#pageCount === undefined) return PageSet.of(pending).toRuns();
    this.#checkPageCount(pending.pageCount);
    const pages = listPages(pending);
    const sorted = sortPages({ pages, keys: this.#counts(pages) });
    this.#judge?.claim(sorted);
    return runsOfPages(this.#judge?.trusted === false ? pages : sorted.pages);
  }

  /** How often each of these pages was found dirty, as far as that is counted. */
  #counts(pages: Uint32Array): Uint32Array {
    const counts = new Uint32Array(pages.length);
    this.#planes.forEach((plane, bit) => {
      for (let index = 0; index < pages.length; index++) {
        const page = pages[index] ?? 0;
        counts[index] = (counts[index] ?? 0) | ((((plane[page >>> 5] ?? 0) >>> (page & 31)) & 1) << bit);
      }
    });
    return counts;
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
