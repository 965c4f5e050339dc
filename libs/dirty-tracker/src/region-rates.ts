import { PageSet, setBitCount } from '@godwit/page-set';
import type { PageBitmap } from '@godwit/ports';

/** How the regions are cut, and how fast they forget. */
export interface RegionRatesOptions {
  /** A multiple of 32. Default 32,768: 128 MiB of 4 KiB pages. */
  readonly pagesPerRegion?: number;
  /** Default 500. */
  readonly halfLifeMs?: number;
}

/**
 * How many pages a second a guest writes in each region of its memory, from what collections report: for each region what
 * `DirtyRate` is for all of it.
 *
 * `observe` looks once at each word of its bitmap, else it costs O(words that hold dirty pages): a region that nothing is
 * written in is not touched, but forgets when it is asked.
 */
export class RegionRates {
  readonly pageCount: number;
  readonly pagesPerRegion: number;
  readonly regionCount: number;
  readonly #halfLifeMs: number;
  /** Pages of each region, forgotten exponentially, as of `#asOfMs`. */
  readonly #pages: Float64Array;
  readonly #asOfMs: Float64Array;
  /** Observed so far; and the same, forgotten exponentially. */
  #elapsedMs = 0;
  #weightMs = 0;

  /** @throws RangeError */
  constructor(pageCount: number, options: RegionRatesOptions = {}) {
    const { pagesPerRegion = 32_768, halfLifeMs = 500 } = options;
    if (!Number.isInteger(pageCount) || pageCount < 0) throw new RangeError(`a memory of ${pageCount} pages`);
    if (!Number.isInteger(pagesPerRegion) || pagesPerRegion <= 0 || pagesPerRegion % 32 !== 0) {
      throw new RangeError(`a region has a multiple of 32 pages, not ${pagesPerRegion}`);
    }
    if (!(halfLifeMs > 0)) throw new RangeError(`a half-life of ${halfLifeMs} ms`);
    this.pageCount = pageCount;
    this.pagesPerRegion = pagesPerRegion;
    this.regionCount = Math.ceil(pageCount / pagesPerRegion);
    this.#halfLifeMs = halfLifeMs;
    this.#pages = new Float64Array(this.regionCount);
    this.#asOfMs = new Float64Array(this.regionCount);
  }

  /**
   * `dirty` was reported for the `elapsedMs` since the collection before.
   * @throws RangeError for a bitmap over another number of pages, or where `elapsedMs` is negative or no number
   */
  observe(dirty: PageBitmap, elapsedMs: number): void {
    const { words, pageCount } = PageSet.of(dirty);
    if (pageCount !== this.pageCount) {
      throw new RangeError(`a bitmap over ${pageCount} pages for a memory of ${this.pageCount}`);
    }
    if (!(elapsedMs >= 0 && elapsedMs < Number.POSITIVE_INFINITY)) throw new RangeError(`${elapsedMs} ms`);
    this.#elapsedMs += elapsedMs;
    this.#weightMs = this.#weightMs * this.#keptAfter(elapsedMs) + elapsedMs;
    const wordsPerRegion = this.pagesPerRegion / 32;
    let pages = 0;
    let region = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word === 0) continue;
      const ofWord = Math.floor(index / wordsPerRegion);
      if (ofWord !== region) {
        if (pages > 0) this.#add(region, pages);
        pages = 0;
        region = ofWord;
      }
      pages += setBitCount(word);
    }
    if (pages > 0) this.#add(region, pages);
  }

  /**
   * Pages a second in the region of this index, which begins at page `region * pagesPerRegion`; 0 before the first
   * observation of any length.
   * @throws RangeError for an index that there is not
   */
  pagesPerSecond(region: number): number {
    if (!Number.isInteger(region) || region < 0 || region >= this.regionCount) {
      throw new RangeError(`region ${region} is not an index below ${this.regionCount}`);
    }
    return this.#weightMs === 0 ? 0 : (this.#current(region) / this.#weightMs) * 1000;
  }

  /** The regions that pages were written in, the fastest first, as their indexes. O(regions). */
  busiest(): number[] {
    const written = Array.from(this.#pages.keys()).filter((region) => (this.#pages[region] ?? 0) > 0);
    return written.sort((a, b) => this.#current(b) - this.#current(a) || a - b);
  }

  #add(region: number, pages: number): void {
    this.#pages[region] = this.#current(region) + pages;
    this.#asOfMs[region] = this.#elapsedMs;
  }

  #current(region: number): number {
    return (this.#pages[region] ?? 0) * this.#keptAfter(this.#elapsedMs - (this.#asOfMs[region] ?? 0));
  }

  #keptAfter(elapsedMs: number): number {
    return 0.5 ** (elapsedMs / this.#halfLifeMs);
  }
}
