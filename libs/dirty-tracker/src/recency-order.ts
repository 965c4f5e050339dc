import { PageSet } from '@godwit/page-set';
import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { OrderJudge } from './order-judge.ts';
import { PageSorter } from './page-sorter.ts';

/**
 * Least recently dirtied first: pages that were never seen dirty in the order of their addresses, then the others by
 * when they were last seen dirty, the longest ago first, within one observation by address. What was not written for
 * long will not be written soon, so that it need not be sent again; what is hot is sent last, and once. Where a guest is
 * seen to write otherwise, pages go by address until it does not any more (`OrderJudge`).
 *
 * `observe` and `arrange` look once at each word of their bitmap, else they cost O(pages in it). The table has four bytes a
 * page of the memory, of which the system provides only what was ever dirty.
 */
export class RecencyOrder implements PageOrder {
  readonly name = 'recency';
  /** When each page was last seen dirty, by the number of the observation; 0 is never. Made by the first observation. */
  #lastSeen: Uint32Array | undefined;
  #judge: OrderJudge | undefined;
  #observations = 0;
  readonly #sorter: PageSorter = new PageSorter();

  /** @throws RangeError for a bitmap over another number of pages than before */
  observe(dirty: PageBitmap): void {
    const set = PageSet.of(dirty);
    const { words } = set;
    if (this.#lastSeen !== undefined) checkPageCount(set, this.#lastSeen);
    const lastSeen = this.#lastSeen ?? new Uint32Array(set.pageCount);
    this.#lastSeen = lastSeen;
    this.#judge ??= new OrderJudge(set.pageCount);
    this.#judge.observe(words);
    const observation = ++this.#observations;
    for (let index = 0; index < words.length; index++) {
      let word = words[index] ?? 0;
      for (const base = index * 32; word !== 0; word &= word - 1) {
        lastSeen[base + 31 - Math.clz32(word & -word)] = observation;
      }
    }
  }

  /** @throws RangeError for a bitmap over another number of pages than those observed */
  arrange(pending: PageBitmap): PageRuns {
    const set = PageSet.of(pending);
    const lastSeen = this.#lastSeen;
    if (lastSeen === undefined || this.#judge === undefined) return set.toRuns();
    checkPageCount(set, lastSeen);
    this.#judge.judge();
    const pageCount = this.#fill(set, lastSeen);
    const split = this.#sorter.sort(pageCount);
    this.#judge.claim(this.#sorter.pages.subarray(0, pageCount), split);
    return this.#judge.trusted ? this.#sorter.toRuns(pageCount) : set.toRuns();
  }

  /** The pending pages, and how long ago they were dirty, as keys. How many there are. */
  #fill(set: PageSet, lastSeen: Uint32Array): number {
    const { words } = set;
    const expected = set.count();
    this.#sorter.reserve(expected);
    const { pages, keys } = this.#sorter;
    let oldest = this.#observations;
    let length = 0;
    for (let index = 0; index < words.length; index++) {
      let word = words[index] ?? 0;
      for (const base = index * 32; word !== 0; word &= word - 1) {
        const page = base + 31 - Math.clz32(word & -word);
        const observation = lastSeen[page] ?? 0;
        pages[length] = page;
        keys[length++] = observation;
        if (observation !== 0 && observation < oldest) oldest = observation;
      }
    }
    // More than were counted, if somebody adds pages to a shared bitmap meanwhile.
    const pageCount = Math.min(length, expected);
    // From the oldest on, so that there are few keys however long this goes on.
    for (let index = 0; index < pageCount; index++) {
      const observation = keys[index] ?? 0;
      keys[index] = observation === 0 ? 0 : observation - oldest + 1;
    }
    return pageCount;
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
