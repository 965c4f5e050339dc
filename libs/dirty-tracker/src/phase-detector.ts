/** Whether a guest writes little enough to be moved now, or not. */
export type Phase = 'busy' | 'quiet';

/** Where one phase ends and the other begins. */
export interface PhaseThresholds {
  /** Pages a second. A guest becomes quiet that writes fewer. A quarter of what the link carries is a fair choice. */
  readonly quietBelow: number;
  /** Pages a second, at least `quietBelow`. A guest becomes busy that writes more. Half of what the link carries, say. */
  readonly busyAbove: number;
  /** For how long without a break, before a phase ends. Default 200. */
  readonly dwellMs?: number;
}

/**
 * Tells the quiet phases of a guest from its busy ones, from how much collections report. Programs run in phases and repeat
 * them; a migration that begins in a quiet one meets fewer writes (P. Svärd, S. Walsh, B. Hudzia, J. Tordsson, E. Elmroth,
 * "The Noble Art of Live VM Migration", Umeå University, section 7.2, which names it as future work).
 *
 * Hysteresis in two ways, so that neither a rate near one threshold nor a single odd collection makes it waver: there are
 * two thresholds, and the rate has to stay beyond the one for `dwellMs`. A guest counts as busy until it has been quiet for
 * so long. A phase begins when the rate went beyond its threshold, which is `dwellMs` before it is known.
 */
export class PhaseDetector {
  readonly #quietBelow: number;
  readonly #busyAbove: number;
  readonly #dwellMs: number;
  #phase: Phase = 'busy';
  #nowMs = 0;
  #beganMs: number | undefined;
  /** Since when the rate has been beyond the other phase's threshold, if it is. */
  #beyondSinceMs: number | undefined;
  /** Reported by observations of no length, for the next. */
  #carriedPages = 0;
  /** Of phases that were seen from beginning to end. */
  readonly #completed: Record<Phase, { count: number; sumMs: number }> = {
    busy: { count: 0, sumMs: 0 },
    quiet: { count: 0, sumMs: 0 },
  };

  /** @throws RangeError */
  constructor({ quietBelow, busyAbove, dwellMs = 200 }: PhaseThresholds) {
    if (!(quietBelow > 0) || !(busyAbove >= quietBelow)) {
      throw new RangeError(`quiet below ${quietBelow} and busy above ${busyAbove} pages a second`);
    }
    if (!(dwellMs >= 0)) throw new RangeError(`a dwell of ${dwellMs} ms`);
    this.#quietBelow = quietBelow;
    this.#busyAbove = busyAbove;
    this.#dwellMs = dwellMs;
  }

  /** As of the last observation. */
  get phase(): Phase {
    return this.#phase;
  }

  /** For how long the present phase has lasted; undefined where its beginning was not seen. */
  get ageMs(): number | undefined {
    return this.#beganMs === undefined ? undefined : this.#nowMs - this.#beganMs;
  }

  /** How long phases of a kind last on average; undefined before one was seen from beginning to end. */
  meanMs(phase: Phase): number | undefined {
    const { count, sumMs } = this.#completed[phase];
    return count === 0 ? undefined : sumMs / count;
  }

  /**
   * `dirtyPages` were reported for the `elapsedMs` since the collection before. Returns the phase.
   * @throws RangeError where one of them is negative or no number
   */
  observe(dirtyPages: number, elapsedMs: number): Phase {
    if (!(dirtyPages >= 0) || !(elapsedMs >= 0)) throw new RangeError(`${dirtyPages} pages in ${elapsedMs} ms`);
    this.#carriedPages += dirtyPages;
    if (elapsedMs === 0) return this.#phase;
    const pagesPerSecond = (this.#carriedPages / elapsedMs) * 1000;
    this.#carriedPages = 0;
    const startMs = this.#nowMs;
    this.#nowMs += elapsedMs;
    const beyond = this.#phase === 'busy' ? pagesPerSecond < this.#quietBelow : pagesPerSecond > this.#busyAbove;
    if (!beyond) {
      this.#beyondSinceMs = undefined;
      return this.#phase;
    }
    this.#beyondSinceMs ??= startMs;
    if (this.#nowMs - this.#beyondSinceMs >= this.#dwellMs) this.#change(this.#beyondSinceMs);
    return this.#phase;
  }

  #change(atMs: number): void {
    if (this.#beganMs !== undefined) {
      const completed = this.#completed[this.#phase];
      completed.count++;
      completed.sumMs += atMs - this.#beganMs;
    }
    this.#phase = this.#phase === 'busy' ? 'quiet' : 'busy';
    this.#beganMs = atMs;
    this.#beyondSinceMs = undefined;
  }
}
