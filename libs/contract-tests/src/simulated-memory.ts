import { SeededBytes } from './seeded-bytes.ts';

/** What the simulated guest writes while it runs. */
export interface SimulatedWorkload {
  /** Writes a second; several may hit one page. */
  readonly writesPerSecond: number;
  readonly firstPage: number;
  readonly pageCount: number;
  readonly pattern: 'sweep' | 'random';
}

/**
 * A memory of which only the version of each page is kept: how often it was written, 0 where it was never touched. The
 * guest writes as time passes; with a copy of the versions a lost write is seen at once.
 */
export class SimulatedMemory {
  readonly versions: Uint32Array;
  /** Pages written since they were last collected. */
  readonly dirty: Set<number> = new Set();
  readonly #workload: SimulatedWorkload;
  readonly #random: SeededBytes;
  #owedWrites = 0;
  #position = 0;

  constructor(pageCount: number, presentPages: number, workload: SimulatedWorkload, seed: number) {
    this.versions = new Uint32Array(pageCount).fill(1, 0, presentPages);
    this.#workload = workload;
    this.#random = new SeededBytes(seed);
  }

  /** Lets the guest run for so long. */
  run(elapsedMs: number, tracked: boolean): void {
    const { writesPerSecond, firstPage, pageCount, pattern } = this.#workload;
    if (pageCount === 0) return;
    this.#owedWrites += (writesPerSecond * elapsedMs) / 1000;
    const writes = Math.floor(this.#owedWrites);
    this.#owedWrites -= writes;
    for (let index = 0; index < writes; index++) {
      const offset = pattern === 'sweep' ? this.#position++ % pageCount : this.#random.below(pageCount);
      const page = firstPage + offset;
      this.versions[page] = (this.versions[page] ?? 0) + 1;
      if (tracked) this.dirty.add(page);
    }
  }
}
