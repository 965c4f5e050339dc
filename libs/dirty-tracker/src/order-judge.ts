import type { KeyedPages } from './page-list.ts';

/** What a page of the last arrangement was held to be. */
const NOTHING = 0;
const COLD = 1;
const HOT = 2;
/** How much of an older judgement counts beside a newer one. */
const MEMORY = 0.5;

/**
 * Holds an order to what it claims. An order that sends cold pages first claims that the pages in the second half of what
 * it arranged are written sooner than those in the first. From the collections that follow it is seen which of them were:
 * where the first half is, the claim is wrong. So it is with a guest that sweeps through its memory, which writes next
 * what it has not written for longest. Such an order had better keep still.
 *
 * Costs O(pages arranged) and O(pages observed), and a byte a page of the memory, of which the system provides only what was
 * ever arranged.
 */
export class OrderJudge {
  readonly #claims: Uint8Array;
  /** The pages that something is claimed of. */
  #claimed: Uint32Array = new Uint32Array(0);
  /** How many pages there are by claim, and how many of them were observed since. */
  #pages: [number, number, number] = [0, 0, 0];
  #written: [number, number, number] = [0, 0, 0];
  /** The share of hot pages that was written, less that of cold ones, added up over the observations since the claim. */
  #lead = 0;
  #observations = 0;
  /** How far hot pages were ahead on average: above 0 the claims were right. */
  #score = 0;

  constructor(pageCount: number) {
    this.#claims = new Uint8Array(pageCount);
  }

  /** Whether the claims so far were right, as those that nobody has seen yet are taken to be. */
  get trusted(): boolean {
    return this.#score >= 0;
  }

  /** A collection reported these pages. */
  observe(pages: Uint32Array): void {
    const claims = this.#claims;
    let [cold, hot] = [0, 0];
    for (let index = 0; index < pages.length; index++) {
      const page = pages[index] ?? 0;
      const claim = claims[page];
      if (claim === NOTHING) continue;
      // Once is enough.
      claims[page] = NOTHING;
      if (claim === COLD) cold++;
      else hot++;
    }
    const written = this.#written;
    written[COLD] += cold;
    written[HOT] += hot;
    this.#lead += share(written[HOT], this.#pages[HOT]) - share(written[COLD], this.#pages[COLD]);
    this.#observations++;
  }

  /**
   * Judges the claims before, and notes new ones: that of these pages, sorted by ascending key, the second half is hot. Those
   * of one key are held to be alike; where there is but one key, nothing is claimed.
   */
  claim(sorted: KeyedPages): void {
    this.#judge();
    const claims = this.#claims;
    for (let index = 0; index < this.#claimed.length; index++) claims[this.#claimed[index] ?? 0] = NOTHING;
    const { pages, keys } = sorted;
    const split = middleOf(keys);
    this.#claimed = split < pages.length ? pages : new Uint32Array(0);
    for (let index = 0; index < this.#claimed.length; index++) {
      claims[this.#claimed[index] ?? 0] = index < split ? COLD : HOT;
    }
    this.#pages = [0, split, Math.max(0, this.#claimed.length - split)];
    this.#written = [0, 0, 0];
    this.#lead = 0;
    this.#observations = 0;
  }

  #judge(): void {
    const [, cold, hot] = this.#pages;
    if (cold === 0 || hot === 0 || this.#observations === 0) return;
    this.#score = this.#score * MEMORY + this.#lead / this.#observations;
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** Where in sorted keys the first of the second half begins, no key being in both; the end where there is but one key. */
function middleOf(keys: Uint32Array): number {
  const lowest = keys[0];
  let split = keys.length >>> 1;
  while (split > 0 && keys[split - 1] === keys[split]) split--;
  if (split > 0) return split;
  while (split < keys.length && keys[split] === lowest) split++;
  return split;
}
