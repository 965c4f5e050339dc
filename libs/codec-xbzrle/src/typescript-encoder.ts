import { GodwitError } from '@godwit/ports';
import { DeltaEncoder, OVERFLOW, UNCHANGED } from './encode.ts';
import type { EncoderCore } from './encoder-core.ts';
import { type EncoderPlan, overheadBytesOf } from './encoder-options.ts';
import type { EncoderCounts } from './encoder-statistics.ts';
import { PageCache, slotCountOf } from './page-cache.ts';
import { PoorPages } from './poor-pages.ts';

/** The sender's half without native code; makes the same choices. */
export class TypescriptEncoder implements EncoderCore {
  readonly #plan: EncoderPlan;
  #cache: PageCache;
  #poorPages: PoorPages | undefined;
  readonly #encoder: DeltaEncoder;
  readonly #snapshot: Uint8Array;
  readonly #delta: Uint8Array;
  readonly #counts: { -readonly [Count in Exclude<keyof EncoderCounts, 'cacheSizeBytes'>]: number } = {
    hitPages: 0,
    missPages: 0,
    refusedPages: 0,
    skippedPages: 0,
    unchangedPages: 0,
    deltaPages: 0,
    overflowPages: 0,
    deltaBytes: 0,
  };

  /** @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where there is not enough memory */
  constructor(plan: EncoderPlan) {
    const { pageSizeBytes, cacheBytes, deltaBytesMax } = plan;
    this.#plan = plan;
    [this.#cache, this.#poorPages] = withMemory(() => {
      const slotCount = this.#slotCountOf(cacheBytes);
      return [new PageCache(pageSizeBytes, slotCount), this.#poorPagesOf(slotCount)];
    });
    this.#encoder = new DeltaEncoder(pageSizeBytes);
    this.#snapshot = new Uint8Array(pageSizeBytes);
    this.#delta = new Uint8Array(deltaBytesMax);
  }

  encode(page: number, current: Uint8Array, into: Uint8Array): number {
    // From here on nobody looks at the live page, which may lie in shared memory.
    this.#snapshot.set(current);
    if (this.#poorPages?.leavesAlone(page)) {
      this.#counts.skippedPages++;
      return this.#putSnapshot(into);
    }
    const slot = this.#cache.find(page);
    if (slot < 0) return this.#encodeMiss(page, into);
    const deltaBytes = this.#encodeHit(slot, into);
    if (this.#poorPages?.learn(page, deltaBytes)) this.#cache.forget(page);
    return deltaBytes === OVERFLOW ? this.#putSnapshot(into) : deltaBytes;
  }

  forget(page: number): void {
    this.#cache.forget(page);
  }

  /** @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where there is not enough memory; the cache stays as it is */
  resize(cacheBytes: number): void {
    [this.#cache, this.#poorPages] = withMemory(() => {
      const slotCount = this.#slotCountOf(cacheBytes);
      // What is known of poor pages is not worth keeping: they are tried again.
      return [this.#cache.resized(slotCount), this.#poorPagesOf(slotCount)];
    });
  }

  statistics(): EncoderCounts {
    return { cacheSizeBytes: this.#cache.sizeBytes + (this.#poorPages?.sizeBytes ?? 0), ...this.#counts };
  }

  close(): void {
    this.#cache = new PageCache(this.#plan.pageSizeBytes, 1);
    this.#poorPages = undefined;
  }

  #encodeHit(slot: number, into: Uint8Array): number {
    this.#counts.hitPages++;
    const cached = this.#cache.contentOf(slot);
    const deltaBytes = this.#encoder.encode(cached, this.#snapshot, this.#delta);
    if (deltaBytes === UNCHANGED) {
      this.#counts.unchangedPages++;
      return UNCHANGED;
    }
    cached.set(this.#snapshot);
    if (deltaBytes === OVERFLOW) {
      this.#counts.overflowPages++;
      return OVERFLOW;
    }
    this.#counts.deltaPages++;
    this.#counts.deltaBytes += deltaBytes;
    into.set(this.#delta.subarray(0, deltaBytes));
    return deltaBytes;
  }

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

  #slotCountOf(cacheBytes: number): number {
    return slotCountOf(this.#plan.pageSizeBytes, overheadBytesOf(this.#plan), cacheBytes);
  }

  #poorPagesOf(slotCount: number): PoorPages | undefined {
    const { backOff } = this.#plan;
    return backOff === undefined ? undefined : new PoorPages(backOff, slotCount);
  }
}

function withMemory<Result>(allocate: () => Result): Result {
  try {
    return allocate();
  } catch (cause) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'there is not enough memory for the cache', { cause });
  }
}
