import { spreadPage } from './page-spread.ts';

/** Each page of the cache brings room for one page here. */
export const POOR_PAGE_BYTES = 8;
/** The first pause, in sends of the page. */
export const PAUSE_FIRST = 4;
export const PAUSE_MAX = 4095;
export const TRIES_MAX = 8;

const LEVEL_BITS = 4;
const LEVEL_MAX: number = 2 ** LEVEL_BITS - 1;

/** When a page is left alone, and for how long. */
export interface BackOff {
  /** Poor deltas in a row before the first pause. */
  readonly tries: number;
  /** The longest pause, in sends of the page. */
  readonly pauseMax: number;
  /** A delta of more bytes is poor. */
  readonly payingBytesMax: number;
}

/**
 * The pages of which deltas do not pay, and for how long no further one is tried. A page whose delta was poor several times
 * in a row is left alone for some sends, and for twice as many if the next try is poor too: binary exponential back-off, as
 * R. Metcalfe and D. Boggs gave Ethernet ("Ethernet: distributed packet switching for local computer networks", CACM 1976).
 * Direct-mapped: a page may push out what is known of another, which is then tried as if it were new. The native one makes
 * the same choices.
 */
export class PoorPages {
  readonly backOff: BackOff;
  /** The page of each entry. */
  readonly #pages: Uint32Array;
  /** How many of its sends are still to be left alone, then its poor deltas in a row; 0 where the entry is free. */
  readonly #states: Uint32Array;

  /** @throws RangeError where there is not that much memory */
  constructor(backOff: BackOff, entryCount: number) {
    this.backOff = backOff;
    this.#pages = new Uint32Array(entryCount);
    this.#states = new Uint32Array(entryCount);
  }

  /** What the entries take. */
  get sizeBytes(): number {
    return this.#pages.byteLength + this.#states.byteLength;
  }

  /** Whether a page that is about to be sent is to be left alone; counts the send. */
  leavesAlone(page: number): boolean {
    const entry = spreadPage(page, this.#pages.length);
    const state = this.#states[entry] ?? 0;
    if (this.#pages[entry] !== page || state >> LEVEL_BITS === 0) return false;
    this.#states[entry] = state - 2 ** LEVEL_BITS;
    return true;
  }

  /**
   * Learns what became of a page: a delta of so many bytes, 0 where it was unchanged, -1 for an overflow. Returns whether the
   * page is left alone from now on; the cache must then forget it, as it is sent around it.
   */
  learn(page: number, deltaBytes: number): boolean {
    const { tries, pauseMax, payingBytesMax } = this.backOff;
    const entry = spreadPage(page, this.#pages.length);
    const isKnown = this.#pages[entry] === page && this.#states[entry] !== 0;
    if (deltaBytes >= 0 && deltaBytes <= payingBytesMax) {
      if (isKnown) this.#states[entry] = 0;
      return false;
    }
    const level = isKnown ? Math.min(((this.#states[entry] ?? 0) & LEVEL_MAX) + 1, LEVEL_MAX) : 1;
    const pause = level < tries ? 0 : Math.min(PAUSE_FIRST * 2 ** (level - tries), pauseMax);
    this.#pages[entry] = page;
    this.#states[entry] = pause * 2 ** LEVEL_BITS + level;
    return pause > 0;
  }
}
