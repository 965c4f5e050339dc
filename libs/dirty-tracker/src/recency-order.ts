import { PageSet } from '@godwit/page-set';
import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { OrderJudge } from './order-judge.ts';
import { listPages, runsOfPages, sortPages } from './page-list.ts';

/**
 * Least recently dirtied first: pages that were never seen dirty in the order of their addresses, then the others by
 * when they were last seen dirty, the longest ago first, within one observation by address. What was not written for
 * long will not be written soon, so that it need not be sent again; what is hot is sent last, and once.
 *
 * `observe` and `arrange` look once at each word of their bitmap, else they cost O(pages in it). The table has four bytes a
 * page of the memory, of which the system provides only what was ever dirty.
 */
export class RecencyOrder implements PageOrder {
  readonly name = 'recency';
  /** When each page was last seen dirty, by the number of the observation; 0 is never. Made by the first observation. */
  #lastSeen: Uint32Array | undefined;
  #observations = 0;
  #judge: OrderJudge | undefined;

  /** @throws RangeError for a bitmap over another number of pages than before */
  observe(dirty: PageBitmap): void {
    const pages = listPages(dirty);
    const lastSeen = this.#lastSeen ?? new Uint32Array(dirty.pageCount);
    checkPageCount(dirty, lastSeen);
    this.#lastSeen = lastSeen;
    this.#judge ??= new OrderJudge(dirty.pageCount);
    this.#judge.observe(pages);
    const observation = ++this.#observations;
    for (let index = 0; index < pages.length; index++) lastSeen[pages[index] ?? 0] = observation;
  }

  /** @throws RangeError for a bitmap over another number of pages than those observed */
  arrange(pending: PageBitmap): PageRuns {
    const lastSeen = this.#lastSeen;
    if (lastSeen === undefined) return PageSet.of(pending).toRuns();
    checkPageCount(pending, lastSeen);
    const pages = listPages(pending);
    const keys = new Uint32Array(pages.length);
    let oldest = this.#observations;
    for (let index = 0; index < pages.length; index++) {
      const observation = lastSeen[pages[index] ?? 0] ?? 0;
      keys[index] = observation;
      if (observation !== 0 && observation < oldest) oldest = observation;
    }
    // From the oldest on, so that there are few keys however long this goes on.
    for (let index = 0; index < keys.length; index++) {
      const observation = keys[index] ?? 0;
      if (observation !== 0) keys[index] = observation - oldest + 1;
    }
    const sorted = sortPages({ pages, keys });
    this.#judge?.claim(sorted);
    return runsOfPages(this.#judge?.trusted === false ? pages : sorted.pages);
  }
}

function checkPageCount({ pageCount }: PageBitmap, lastSeen: Uint32Array): void {
  if (pageCount !== lastSeen.length) {
    throw new RangeError(`a bitmap over ${pageCount} pages after one over ${lastSeen.length}`);
  }
}

/** A new `RecencyOrder`; one for each migration. */
export function recencyOrder(): PageOrder {
  return new RecencyOrder();
}
