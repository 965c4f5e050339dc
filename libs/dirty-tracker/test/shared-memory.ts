import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { DirtyTrackerWriters } from '@godwit/contract-tests';

export const PAGE_BYTES = 256;

/** A memory in reach of several threads: the first word of each page is its value. */
export class SharedMemory {
  readonly bytes: Uint8Array;
  readonly values: Uint32Array;
  readonly #buffer: SharedArrayBuffer;

  constructor(pageCount: number) {
    this.#buffer = new SharedArrayBuffer(pageCount * PAGE_BYTES);
    this.bytes = new Uint8Array(this.#buffer);
    this.values = new Uint32Array(this.#buffer);
  }

  write(page: number, value: number): void {
    Atomics.store(this.values, (page * PAGE_BYTES) / 4, value);
  }

  read(page: number): number {
    return Atomics.load(this.values, (page * PAGE_BYTES) / 4);
  }

  /** Threads that write until stopped, in rounds; `marks` are set after each write. */
  async startWriters(marks?: Uint32Array): Promise<DirtyTrackerWriters> {
    const control = new SharedArrayBuffer(16);
    const [STOP, ROUND] = [0, 1];
    const state = new Int32Array(control, 0, 2);
    const writeCounts = new BigUint64Array(control, 8);
    const completed = new Uint32Array(new SharedArrayBuffer((this.values.byteLength / PAGE_BYTES) * 4));
    for (let page = 0; page < completed.length; page++) completed[page] = this.read(page);
    const workers = [1, 2].map(
      (seed) =>
        new Worker(new URL('./writer.mjs', import.meta.url), {
          workerData: {
            memory: this.#buffer,
            marks: marks?.buffer,
            control,
            completed: completed.buffer,
            pageBytes: PAGE_BYTES,
            seed,
          },
        }),
    );
    const ends = workers.map((worker) => once(worker, 'exit'));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    return {
      async stop() {
        Atomics.store(state, STOP, 1);
        Atomics.add(state, ROUND, 1);
        Atomics.notify(state, ROUND);
        await Promise.all(ends);
      },
      nextRound() {
        Atomics.add(state, ROUND, 1);
        Atomics.notify(state, ROUND);
      },
      completed: () => completed.slice(),
      writeCount: () => Number(Atomics.load(writeCounts, 0)),
    };
  }
}
