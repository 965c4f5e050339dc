import { PageSet } from '@godwit/page-set';
import type { Backend, DirtyTracker, PageBitmap } from '@godwit/ports';
import { TrackingState } from './tracking-state.ts';

/**
 * Tracks by comparing each page with a copy of it. Needs nothing of the machine, and costs as much memory again and a
 * read of all of it for each collection.
 *
 * It sees contents, not writes: a page that was changed and changed back between two collections looks untouched. So
 * whoever copies the memory by what is reported must read `snapshot`, not the live memory: the live page may have been
 * read in between, and what was read is never corrected. Read from `snapshot`, the copy is exact. (The full copy and no
 * hash: a collision would be a lost write.)
 */
export class CompareTracker implements DirtyTracker {
  readonly name = 'compare';
  readonly backend: Backend = 'typescript';
  readonly pageCount: number;
  /** Every page as it was when last collected, `pageCount * pageSizeBytes` long. */
  readonly snapshot: Uint8Array;
  readonly #memory: Buffer;
  readonly #copy: Buffer;
  readonly #pageSizeBytes: number;
  readonly #state: TrackingState;

  /** @throws RangeError where the memory is no whole number of pages */
  constructor(memory: Uint8Array, pageSizeBytes: number) {
    const pageCount = memory.length / pageSizeBytes;
    if (!Number.isInteger(pageSizeBytes) || pageSizeBytes <= 0 || !Number.isInteger(pageCount)) {
      throw new RangeError(`${memory.length} bytes are no whole number of pages of ${pageSizeBytes}`);
    }
    this.pageCount = pageCount;
    this.#pageSizeBytes = pageSizeBytes;
    // Views, not copies; Buffer for its compare over parts.
    this.#memory = Buffer.from(memory.buffer, memory.byteOffset, memory.length);
    this.snapshot = new Uint8Array(memory.length);
    this.#copy = Buffer.from(this.snapshot.buffer);
    this.#state = new TrackingState(this.name, pageCount);
  }

  async start(): Promise<void> {
    this.#state.checkOpen();
    this.#copy.set(this.#memory);
    this.#state.started();
  }

  async collect(into: PageBitmap): Promise<number> {
    this.#state.checkCollect(into);
    const target = PageSet.of(into);
    if (this.#memory.length !== this.snapshot.length) {
      throw new TypeError('the tracked memory is gone: its buffer was detached or resized');
    }
    let reported = 0;
    for (let page = 0; page < this.pageCount; page++) {
      const start = page * this.#pageSizeBytes;
      const end = start + this.#pageSizeBytes;
      if (this.#memory.compare(this.#copy, start, end, start, end) === 0) continue;
      // Before it is copied: if it cannot be reported, it still differs the next time.
      target.add(page);
      // Written once more before this, the page is in the copy as it then is, and reported all the same.
      this.#memory.copy(this.#copy, start, start, end);
      reported++;
    }
    return reported;
  }

  async stop(): Promise<void> {
    this.#state.stopped();
  }

  async close(): Promise<void> {
    this.#state.close();
  }
}
