import { PageSet } from '@godwit/page-set';
import type { Backend, DirtyTracker, PageBitmap } from '@godwit/ports';
import { TrackingState } from './tracking-state.ts';

/**
 * An empty bitmap in shared memory, for marks that writers in other threads set.
 * @throws RangeError where `pageCount` is not an integer between 0 and 2^32 - 1
 */
export function createSharedMarks(pageCount: number): PageBitmap {
  const { words } = PageSet.empty(pageCount);
  return { pageCount, words: new Uint32Array(new SharedArrayBuffer(words.byteLength)) };
}

/**
 * Marks a page as written. Called *after* the write: a mark set before it could be fetched, and the page read, while the
 * write is still to come.
 * @throws RangeError for a page outside the bitmap
 */
export function markWritten(marks: PageBitmap, page: number): void {
  if (!Number.isInteger(page) || page < 0 || page >= marks.pageCount) {
    throw new RangeError(`page ${page} is not an index below ${marks.pageCount}`);
  }
  Atomics.or(marks.words, page >>> 5, 1 << (page & 31));
}

/** Tracks by marks that the writers themselves set, atomically, in a bitmap they share with the tracker. */
export class SoftwareMarksTracker implements DirtyTracker {
  readonly name = 'software-marks';
  readonly backend: Backend = 'typescript';
  readonly pageCount: number;
  readonly #marks: PageSet;
  readonly #state: TrackingState;

  /** @throws RangeError where the marks are no bitmap over their pages */
  constructor(marks: PageBitmap) {
    this.#marks = PageSet.of(marks);
    this.pageCount = marks.pageCount;
    this.#state = new TrackingState(this.name, this.pageCount);
  }

  async start(): Promise<void> {
    this.#state.checkOpen();
    PageSet.empty(this.pageCount).fetchAndClear(this.#marks);
    this.#state.started();
  }

  async collect(into: PageBitmap): Promise<number> {
    this.#state.checkCollect(into);
    return PageSet.of(into).fetchAndClear(this.#marks);
  }

  async stop(): Promise<void> {
    this.#state.stopped();
  }

  async close(): Promise<void> {
    this.#state.close();
  }
}
