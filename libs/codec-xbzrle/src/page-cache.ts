import { spreadPage } from './page-spread.ts';

/** Beside its page a slot has a tag and the moment of its last use. */
export const SLOT_OVERHEAD_BYTES = 16;
const WAYS = 8;
/** A slot's lifetime, in lookups for each slot of the cache. */
const LIFETIME_LOOKUPS = 4;

/** How many pages a cache of so many bytes holds where each takes so many beside its own: whole sets only. */
export function slotCountOf(pageSizeBytes: number, overheadBytes: number, cacheBytes: number): number {
  const slots = Math.floor(cacheBytes / (pageSizeBytes + overheadBytes));
  return slots < WAYS ? slots : slots - (slots % WAYS);
}

/**
 * What was sent last of the pages that are worth remembering: a set-associative cache of fixed size. A page that was used
 * within a lifetime is never evicted: a writer that sweeps over more than the cache holds would otherwise evict each page
 * just before its turn, and nothing would ever be found. (QEMU has the same idea in its page cache, there with direct
 * mapping and counted in rounds.) The native cache makes the same choices.
 */
export class PageCache {
  readonly #pages: Uint8Array;
  readonly #pageSizeBytes: number;
  /** The page in each slot, plus one; 0 where the slot is free. */
  readonly #tags: Float64Array;
  readonly #usedAt: Float64Array;
  readonly #setCount: number;
  readonly #ways: number;
  #lookups = 0;

  /** @throws RangeError where there is not that much memory */
  constructor(pageSizeBytes: number, slotCount: number) {
    this.#pageSizeBytes = pageSizeBytes;
    this.#pages = new Uint8Array(slotCount * pageSizeBytes);
    this.#tags = new Float64Array(slotCount);
    this.#usedAt = new Float64Array(slotCount);
    this.#ways = Math.min(slotCount, WAYS);
    this.#setCount = slotCount / this.#ways;
  }

  get slotCount(): number {
    return this.#tags.length;
  }

  /** What the pages and their slots take. */
  get sizeBytes(): number {
    return this.#pages.byteLength + this.#tags.byteLength + this.#usedAt.byteLength;
  }

  /**
   * A cache of another size with the pages of this one that fit, those used last before others.
   * @throws RangeError where there is not enough memory for both
   */
  resized(slotCount: number): PageCache {
    const resized = new PageCache(this.#pageSizeBytes, slotCount);
    resized.#lookups = this.#lookups;
    const slots = Array.from(this.#tags.keys()).filter((slot) => this.#tags[slot] !== 0);
    slots.sort((one, other) => (this.#usedAt[other] ?? 0) - (this.#usedAt[one] ?? 0));
    for (const slot of slots) resized.#takeIn(this, slot);
    return resized;
  }

  /** The slot of a page, or -1. A page that is found counts as used. */
  find(page: number): number {
    this.#lookups++;
    const slot = this.#slotOf(page);
    if (slot >= 0) this.#usedAt[slot] = this.#lookups;
    return slot;
  }

  /** Right after `find` found nothing: a slot for the page, or -1 where every slot it may have is in use. */
  claim(page: number): number {
    const first = this.#firstSlotOf(page);
    let oldest = first;
    for (let slot = first + 1; slot < first + this.#ways; slot++) {
      if ((this.#usedAt[slot] ?? 0) < (this.#usedAt[oldest] ?? 0)) oldest = slot;
    }
    const age = this.#lookups - (this.#usedAt[oldest] ?? 0);
    if (this.#tags[oldest] !== 0 && age <= LIFETIME_LOOKUPS * this.#tags.length) return -1;
    this.#tags[oldest] = page + 1;
    this.#usedAt[oldest] = this.#lookups;
    return oldest;
  }

  /** The content of a slot, to read and to write. */
  contentOf(slot: number): Uint8Array {
    return this.#pages.subarray(slot * this.#pageSizeBytes, (slot + 1) * this.#pageSizeBytes);
  }

  forget(page: number): void {
    const slot = this.#slotOf(page);
    if (slot < 0) return;
    this.#tags[slot] = 0;
    this.#usedAt[slot] = 0;
  }

  #slotOf(page: number): number {
    const first = this.#firstSlotOf(page);
    for (let slot = first; slot < first + this.#ways; slot++) if (this.#tags[slot] === page + 1) return slot;
    return -1;
  }

  #takeIn(other: PageCache, otherSlot: number): void {
    const tag = other.#tags[otherSlot] ?? 0;
    const first = this.#firstSlotOf(tag - 1);
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#tags[slot] !== 0) continue;
      this.#tags[slot] = tag;
      this.#usedAt[slot] = other.#usedAt[otherSlot] ?? 0;
      this.contentOf(slot).set(other.contentOf(otherSlot));
      return;
    }
  }

  #firstSlotOf(page: number): number {
    return spreadPage(page, this.#setCount) * this.#ways;
  }
}
