/** In which order a simulated guest writes the pages of its working set. */
export const WRITE_PATTERNS = ['random', 'zipf', 'sweep'] as const;

/** The name of a pattern. */
export type WritePattern = (typeof WRITE_PATTERNS)[number];

/** Numbers from 0 up to 1, the same for the same seed: G. Marsaglia, "Xorshift RNGs", JSS 8(14), 2003, section 4. */
function seededRandom(seed: number): () => number {
  let state = (seed * 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A prime above every working set: multiplying by it permutes the page numbers. */
const SCATTER = 1_000_003;

/**
 * A guest that writes its working set, page after page: at random, every page equally likely; at random, the page of rank r
 * about r times less likely than the first (Zipf with exponent 1, drawn from a rank whose logarithm is uniform) and
 * scattered over the working set; or one after the other, again and again. These are the patterns of the real guests'
 * `appmembench`.
 */
export class PageWriter {
  readonly #pattern: WritePattern;
  readonly #firstPage: number;
  readonly #pageCount: number;
  readonly #random: () => number;
  #position = 0;

  constructor(pattern: WritePattern, firstPage: number, pageCount: number, seed: number) {
    this.#pattern = pattern;
    this.#firstPage = firstPage;
    this.#pageCount = pageCount;
    this.#random = seededRandom(seed);
  }

  /** The page that is written next. */
  next(): number {
    return this.#firstPage + this.#offset();
  }

  #offset(): number {
    const pages = this.#pageCount;
    switch (this.#pattern) {
      case 'random':
        return Math.floor(this.#random() * pages);
      case 'zipf': {
        const octave = Math.floor(this.#random() * Math.ceil(Math.log2(pages + 1)));
        const rank = Math.min(2 ** octave - 1 + Math.floor(this.#random() * 2 ** octave), pages - 1);
        return (rank * SCATTER) % pages;
      }
      default:
        this.#position = (this.#position + 1) % pages;
        return this.#position;
    }
  }
}
