import { PageSet } from '@godwit/page-set';
import { type Backend, type Capsule, type DirtyTracker, fromNativeError, type PageBitmap } from '@godwit/ports';
import type { NativeTracker } from './native.ts';
import { TrackingState } from './tracking-state.ts';

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNativeError(error);
  }
}

/**
 * A tracker whose work is done by native code on a thread of its own. Native code of other packages drives `capsule`
 * instead of the methods.
 */
export class NativeDirtyTracker implements DirtyTracker {
  readonly name: string;
  readonly backend: Backend = 'native';
  readonly pageCount: number;
  readonly capsule: Capsule<'dirty'>;
  readonly #native: NativeTracker;
  readonly #state: TrackingState;
  /** Fetched for a bitmap that was gone by then: for the next. */
  #undelivered: PageSet | undefined;

  constructor(name: string, native: NativeTracker) {
    this.name = name;
    this.#native = native;
    this.pageCount = native.pageCount;
    this.capsule = native.capsule;
    this.#state = new TrackingState(name, this.pageCount);
  }

  async start(): Promise<void> {
    this.#state.checkOpen();
    await translated(() => this.#native.start());
    this.#undelivered = undefined;
    this.#state.started();
  }

  async collect(into: PageBitmap): Promise<number> {
    // Whether it was started the native side knows: it may have been started through the capsule.
    this.#state.checkOpen();
    const target = PageSet.of(into);
    if (target.pageCount !== this.pageCount) {
      throw new RangeError(`a bitmap over ${into.pageCount} pages for a memory of ${this.pageCount}`);
    }
    const { words, pageCount } = await translated(() => this.#native.collect());
    const pages = PageSet.of({ pageCount: this.pageCount, words });
    const undelivered = this.#undelivered;
    if (undelivered !== undefined) pages.or(undelivered);
    // The native side has forgotten them, so nobody would report them again.
    this.#undelivered = pages;
    target.or(pages);
    this.#undelivered = undefined;
    return undelivered === undefined ? pageCount : pages.count();
  }

  async stop(): Promise<void> {
    if (this.#state.closed) return;
    this.#state.stopped();
    await translated(() => this.#native.stop());
  }

  async close(): Promise<void> {
    if (this.#state.close()) await translated(() => this.#native.close());
  }
}
