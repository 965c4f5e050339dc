import { encodeDelta, OVERFLOW, UNCHANGED } from './encode.ts';
import type { EncoderCore } from './encoder-core.ts';
import type { EncoderCounts } from './encoder-statistics.ts';
import { PageCache } from './page-cache.ts';

/** The sender's half without native code; makes the same choices. */
export class TypescriptEncoder implements EncoderCore {
  readonly #cache: PageCache;
  readonly #snapshot: Uint8Array;
  /** One byte short of a page: a delta that saves nothing is none. */
  readonly #delta: Uint8Array;
  #counts: { -readonly [Count in keyof EncoderCounts]: number } = {
    hitPages: 0,
    missPages: 0,
    refusedPages: 0,
    unchangedPages: 0,
    deltaPages: 0,
    overflowPages: 0,
    deltaBytes: 0,
  };

  constructor(pageSizeBytes: number, cacheBytes: number) {
    this.#cache = new PageCache(pageSizeBytes, cacheBytes);
    this.#snapshot = new Uint8Array(pageSizeBytes);
    this.#delta = new Uint8Array(pageSizeBytes - 1);
  }

  encode(page: number, current: Uint8Array, into: Uint8Array): number {
    // From here on nobody looks at the live page, which may lie in shared memory.
    this.#snapshot.set(current);
    const slot = this.#cache.find(page);
    if (slot < 0) return this.#encodeMiss(page, into);
    this.#counts.hitPages++;
    const cached = this.#cache.contentOf(slot);
    const deltaBytes = encodeDelta(cached, this.#snapshot, this.#delta);
    if (deltaBytes === UNCHANGED) {
      this.#counts.unchangedPages++;
      return 0;
    }
    cached.set(this.#snapshot);
    if (deltaBytes === OVERFLOW) {
      this.#counts.overflowPages++;
      return this.#putSnapshot(into);
    }
    this.#counts.deltaPages++;
    this.#counts.deltaBytes += deltaBytes;
    into.set(this.#delta.subarray(0, deltaBytes));
    return deltaBytes;
  }

  forget(page: number): void {
    this.#cache.forget(page);
  }

  statistics(): EncoderCounts {
    return { ...this.#counts };
  }

  close(): void {}

  #encodeMiss(page: number, into: Uint8Array): number {
    this.#counts.missPages++;
    const slot = this.#cache.claim(page);
    if (slot < 0) this.#counts.refusedPages++;
    else this.#cache.contentOf(slot).set(this.#snapshot);
    return this.#putSnapshot(into);
  }

  #putSnapshot(into: Uint8Array): number {
    into.set(this.#snapshot);
    return this.#snapshot.length;
  }
}
