import type { PageSet } from '@godwit/page-set';
import type { PageRuns } from '@godwit/ports';

/** Walks once over page runs in their order and hands them out in portions. */
export class RunCursor {
  readonly #runs: PageRuns;
  #pair = 0;
  #offsetPages = 0;
  #remainingPages = 0;

  constructor(runs: PageRuns) {
    this.#runs = runs;
    for (let index = 1; index < runs.length; index += 2) this.#remainingPages += runs[index] ?? 0;
  }

  /** Pages that were neither taken nor skipped yet. */
  get remainingPages(): number {
    return this.#remainingPages;
  }

  /**
   * The next `pageLimit` pages at most, as runs. Pages of `skip` are passed over and do not count; with no `skip` whole
   * runs are taken at once. Empty where nothing is left.
   */
  take(pageLimit: number, skip?: PageSet): PageRuns {
    const taken = new Uint32Array(2 * Math.min(pageLimit, this.#remainingPages));
    const skipped = skip?.words;
    let length = 0;
    let room = pageLimit;
    let nextPage = -1;
    while (room > 0 && this.#remainingPages > 0) {
      const first = (this.#runs[this.#pair] ?? 0) + this.#offsetPages;
      const left = (this.#runs[this.#pair + 1] ?? 0) - this.#offsetPages;
      if (left === 0) {
        this.#pair += 2;
        this.#offsetPages = 0;
        continue;
      }
      const step = skipped === undefined ? Math.min(left, room) : 1;
      this.#offsetPages += step;
      this.#remainingPages -= step;
      if (skipped !== undefined && (((skipped[first >>> 5] ?? 0) >>> (first & 31)) & 1) === 1) continue;
      room -= step;
      if (first === nextPage) {
        taken[length - 1] = (taken[length - 1] ?? 0) + step;
      } else {
        taken[length++] = first;
        taken[length++] = step;
      }
      nextPage = first + step;
    }
    return taken.slice(0, length);
  }
}
