import { setBitCount } from '@godwit/page-set';

/** How much of an older judgement counts beside a newer one. */
const MEMORY = 0.5;

/** What is claimed of some pages. */
interface Claim {
  /** The pages of which nothing was seen yet. */
  readonly words: Uint32Array;
  pageCount: number;
  writtenPages: number;
}

/**
 * Holds an order to what it claims. An order that sends cold pages first claims that the pages in the second half of what
 * it arranged are written sooner than those in the first. From the collections that follow it is seen which of them were:
 * where the first half is, the claim is wrong. So it is with a guest that sweeps through its memory, which writes next
 * what it has not written for longest. Such an order had better keep still.
 *
 * Costs O(pages arranged), and one look at each word of what is observed; two bits a page of the memory, of which the system
 * provides only what was ever arranged.
 */
export class OrderJudge {
  readonly #cold: Claim;
  readonly #hot: Claim;
  /** The pages that something is claimed of. */
  #claimed: Uint32Array = new Uint32Array(0);
  /** The share of hot pages that was written, less that of cold ones, added up over the observations since the claim. */
  #lead = 0;
  #observations = 0;
  /** How far hot pages were ahead on average: above 0 the claims were right. */
  #score = 0;

  constructor(pageCount: number) {
    const claim = (): Claim => ({ words: new Uint32Array(Math.ceil(pageCount / 32)), pageCount: 0, writtenPages: 0 });
    this.#cold = claim();
    this.#hot = claim();
  }

  /** Whether the claims so far were right, as those that nobody has seen yet are taken to be. */
  get trusted(): boolean {
    return this.#score >= 0;
  }

  /** A collection reported the pages of this bitmap. */
  observe(dirty: Uint32Array): void {
    if (this.#claimed.length === 0) return;
    const [cold, hot] = [this.#cold, this.#hot];
    const [coldWords, hotWords] = [cold.words, hot.words];
    for (let index = 0; index < coldWords.length; index++) {
      const word = dirty[index] ?? 0;
      if (word === 0) continue;
      // Once is enough: what was written is claimed no more.
      const coldWord = coldWords[index] ?? 0;
      if ((coldWord & word) !== 0) {
        cold.writtenPages += setBitCount(coldWord & word);
        coldWords[index] = coldWord & ~word;
      }
      const hotWord = hotWords[index] ?? 0;
      if ((hotWord & word) !== 0) {
        hot.writtenPages += setBitCount(hotWord & word);
        hotWords[index] = hotWord & ~word;
      }
    }
    this.#lead += hot.writtenPages / hot.pageCount - cold.writtenPages / cold.pageCount;
    this.#observations++;
  }

  /** Judges the claims, which are no more. The pages they were made of may change from here on. */
  judge(): void {
    if (this.#observations > 0) this.#score = this.#score * MEMORY + this.#lead / this.#observations;
    const [coldWords, hotWords] = [this.#cold.words, this.#hot.words];
    for (let index = 0; index < this.#claimed.length; index++) {
      const word = (this.#claimed[index] ?? 0) >>> 5;
      coldWords[word] = 0;
      hotWords[word] = 0;
    }
    this.#claimed = new Uint32Array(0);
    this.#lead = 0;
    this.#observations = 0;
  }

  /** Notes that of these pages those from `split` on are hot; where that is no place among them, nothing. */
  claim(pages: Uint32Array, split: number): void {
    if (split <= 0 || split >= pages.length) return;
    this.#claimed = pages;
    note(this.#cold, pages, 0, split);
    note(this.#hot, pages, split, pages.length);
  }
}

function note(claim: Claim, pages: Uint32Array, start: number, end: number): void {
  const { words } = claim;
  for (let index = start; index < end; index++) {
    const page = pages[index] ?? 0;
    words[page >>> 5] = (words[page >>> 5] ?? 0) | (1 << (page & 31));
  }
  claim.pageCount = end - start;
  claim.writtenPages = 0;
}
