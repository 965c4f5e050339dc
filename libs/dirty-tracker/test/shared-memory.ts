import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

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

  /** Threads that write until stopped; `marks` are set after each write. */
  async startWriters(marks?: Uint32Array): Promise<{ stop(): Promise<void> }> {
    const stopping = new SharedArrayBuffer(4);
    const workers = [1, 2].map(
      (seed) =>
        new Worker(new URL('./writer.mjs', import.meta.url), {
          workerData: { memory: this.#buffer, marks: marks?.buffer, stopping, pageBytes: PAGE_BYTES, seed },
        }),
    );
    const ends = workers.map((worker) => once(worker, 'exit'));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    return {
      async stop() {
        Atomics.store(new Int32Array(stopping), 0, 1);
        await Promise.all(ends);
      },
    };
  }
}
