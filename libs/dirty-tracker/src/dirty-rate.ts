/**
 * How many pages a second a guest writes, from what collections report: a mean that forgets exponentially, weighted by
 * time, so that collections of unequal length count as long as they lasted. A page written twice between two collections
 * counts once: the rate falls with the length of the interval, and is a lower bound.
 */
export class DirtyRate {
  readonly #halfLifeMs: number;
  #pages = 0;
  #ms = 0;

  /** @throws RangeError where `halfLifeMs` is not positive */
  constructor(halfLifeMs = 500) {
    if (!(halfLifeMs > 0)) throw new RangeError(`a half-life of ${halfLifeMs} ms`);
    this.#halfLifeMs = halfLifeMs;
  }

  /**
   * `dirtyPages` were reported for the `elapsedMs` since the collection before.
   * @throws RangeError where one of them is negative or no number
   */
  observe(dirtyPages: number, elapsedMs: number): void {
    if (!(dirtyPages >= 0) || !(elapsedMs >= 0)) throw new RangeError(`${dirtyPages} pages in ${elapsedMs} ms`);
    const kept = 0.5 ** (elapsedMs / this.#halfLifeMs);
    this.#pages = this.#pages * kept + dirtyPages;
    this.#ms = this.#ms * kept + elapsedMs;
  }

  /** 0 before the first observation of any length. */
  get pagesPerSecond(): number {
    return this.#ms === 0 ? 0 : (this.#pages / this.#ms) * 1000;
  }
}
