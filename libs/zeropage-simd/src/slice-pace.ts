const SLICE_MS = 1;
const FIRST_SLICE_BYTES = 2 ** 20;
const GROWTH_MAX = 4;
const TURN_BYTES_MAX = 16 * 2 ** 20;

/** How much memory is looked at before the event loop turns: as much as takes about a millisecond. */
export class SlicePace {
  #bytes = FIRST_SLICE_BYTES;
  #begunMs = performance.now();
  #bytesSinceTurn = 0;

  /** As much as the next slice should have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** So much was done besides, as if so many bytes had been looked at. */
  spend(bytes: number): void {
    this.#bytesSinceTurn += bytes;
  }

  /** The event loop turned. */
  begin(): void {
    this.#begunMs = performance.now();
    this.#bytesSinceTurn = 0;
  }

  /** Whether the event loop should turn before more is done. */
  isDue(): boolean {
    return this.isSpent() || performance.now() - this.#begunMs >= SLICE_MS;
  }

  /** As `isDue`, without a look at the clock. */
  isSpent(): boolean {
    return this.#bytesSinceTurn >= TURN_BYTES_MAX;
  }

  /** Looks at so many bytes, and learns from how long it took. */
  measure<Result>(bytes: number, look: () => Result): Result {
    const startMs = performance.now();
    const result = look();
    const growth = SLICE_MS / Math.max(performance.now() - startMs, SLICE_MS / GROWTH_MAX);
    this.#bytes = bytes * growth;
    this.#bytesSinceTurn += bytes;
    return result;
  }
}
