import { lowestSetBit, PageSet } from '@godwit/page-set';
import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';

/** Runs that grow: pages appended one by one or by the run, neighbours joined. */
class RunList {
  #words = new Uint32Array(64);
  #length = 0;

  append(firstPage: number, pageCount: number): void {
    const last = this.#length - 2;
    if (last >= 0 && (this.#words[last] ?? 0) + (this.#words[last + 1] ?? 0) === firstPage) {
      this.#words[last + 1] = (this.#words[last + 1] ?? 0) + pageCount;
      return;
    }
    if (this.#length === this.#words.length) {
      const grown = new Uint32Array(2 * this.#words.length);
      grown.set(this.#words);
      this.#words = grown;
    }
    this.#words[this.#length++] = firstPage;
    this.#words[this.#length++] = pageCount;
  }

  finish(): PageRuns {
    return this.#words.slice(0, this.#length);
  }
}

function forEachPage(bitmap: PageBitmap, visit: (page: number) => void): void {
  const { words } = bitmap;
  for (let index = 0; index < words.length; index++) {
    for (let word = words[index] ?? 0; word !== 0; word &= word - 1) visit(index * 32 + lowestSetBit(word));
  }
}

/**
 * Least recently dirtied first: pages that were never seen dirty in the order of their addresses, then the others by
 * when they were last seen dirty, the longest ago first, within one observation by address. What was not written for
 * long will not be written soon, so that it need not be sent again; what is hot is sent last, and once.
 *
 * Costs four bytes a page of the memory; `observe` is O(dirty pages), `arrange` O(pending pages + observations).
 */
export class RecencyOrder implements PageOrder {
  readonly name = 'recency';
  /** When each page was last seen dirty, by the number of the observation; 0 is never. Made by the first observation. */
  #lastSeen: Uint32Array | undefined;
  #observations = 0;

  /** @throws RangeError for a bitmap over another number of pages than before */
  observe(dirty: PageBitmap): void {
    const lastSeen = this.#lastSeen ?? new Uint32Array(dirty.pageCount);
    if (lastSeen.length !== dirty.pageCount) {
      throw new RangeError(`a bitmap over ${dirty.pageCount} pages after one over ${lastSeen.length}`);
    }
    this.#lastSeen = lastSeen;
    const observation = ++this.#observations;
    forEachPage(PageSet.of(dirty), (page) => {
      lastSeen[page] = observation;
    });
  }

  /** @throws RangeError for a bitmap over another number of pages than those observed */
  arrange(pending: PageBitmap): PageRuns {
    const pages = PageSet.of(pending);
    const lastSeen = this.#lastSeen;
    if (lastSeen === undefined) return pages.toRuns();
    if (lastSeen.length !== pending.pageCount) {
      throw new RangeError(`a bitmap over ${pending.pageCount} pages after one over ${lastSeen.length}`);
    }
    const runs = new RunList();
    // Counting sort over the observations; pages never seen dirty go straight to the runs.
    const ends = new Uint32Array(this.#observations + 1);
    let seenPages = 0;
    forEachPage(pages, (page) => {
      const observation = lastSeen[page] ?? 0;
      if (observation === 0) return runs.append(page, 1);
      ends[observation] = (ends[observation] ?? 0) + 1;
      seenPages++;
    });
    let end = 0;
    for (let observation = 1; observation < ends.length; observation++) {
      const count = ends[observation] ?? 0;
      ends[observation] = end;
      end += count;
    }
    const sorted = new Uint32Array(seenPages);
    forEachPage(pages, (page) => {
      const observation = lastSeen[page] ?? 0;
      if (observation === 0) return;
      const place = ends[observation] ?? 0;
      sorted[place] = page;
      ends[observation] = place + 1;
    });
    for (const page of sorted) runs.append(page, 1);
    return runs.finish();
  }
}

/** A new `RecencyOrder`; one for each migration. */
export function recencyOrder(): PageOrder {
  return new RecencyOrder();
}
