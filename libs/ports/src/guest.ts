import type { Backend, Capsule } from './capsule.ts';
import type { PageBitmap } from './page-bitmap.ts';

/**
 * All memory of a guest as one row of pages. Native hosts offer `capsule` and their pages never enter the JavaScript
 * heap; others offer `bytes`. At least one of the two is there.
 */
export interface GuestMemory {
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  readonly capsule?: Capsule<'memory'>;
  /** The memory itself, `pageCount * pageSizeBytes` long, for the portable path. */
  readonly bytes?: Uint8Array;
  /**
   * Marks that the guest's own program sets after each write, with `Atomics.or`, one bit a page as in `PageBitmap.words`
   * and in shared memory. Fetched and cleared with `Atomics.exchange`.
   */
  readonly softwareMarks?: Uint32Array;
  /** Sets the bits of the pages that are populated; a page that is not reads as zero. Returns how many. */
  present(into: PageBitmap): Promise<number>;
}

/** What a guest found when it looked at its own data: a lost or torn write shows here. */
export interface SelfCheck {
  readonly ok: boolean;
  /** How many inconsistencies the program has met since it started, on this host and on all before. */
  readonly errorCount: number;
  /** How much the program has checked (pages, frames or blocks, as `detail` says). */
  readonly checkedCount: number;
  readonly detail: string;
}

/** What is told about a guest in a report and to the peer. */
export interface GuestDescription {
  readonly kind: string;
  readonly memoryBytes: number;
  readonly pageSizeBytes: number;
  readonly workload: string;
  /** What the destination needs to build an equal guest before any state arrives; JSON, at most 16 KiB. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Memory, execution state, and a way to stop and start. A guest is made paused, either fresh (`start` runs its program)
 * or empty (`loadState`, then `resume`).
 */
export interface Guest {
  readonly kind: string;
  readonly backend: Backend;
  readonly memory: GuestMemory;
  /** Pause, resume, save and load without a JavaScript turn; where it is missing the methods below are used. */
  readonly execution?: Capsule<'execution'>;
  /** No saved state is longer. */
  readonly stateBytesMax: number;
  readonly running: boolean;
  describe(): GuestDescription;
  /** Resolves when neither a processor nor a device of the guest writes memory any more. Idempotent. */
  pause(): Promise<void>;
  /** Runs the guest on from its state (a fresh guest from its beginning). Idempotent. */
  resume(): Promise<void>;
  /** Of a paused guest: the state of processors and devices. */
  saveState(): Promise<Uint8Array>;
  /**
   * Into a guest that has not run.
   * @throws GodwitError `ERR_GODWIT_STATE_INVALID`; the guest is untouched.
   */
  loadState(state: Uint8Array): Promise<void>;
  /** Tells the outside world that the guest is here now. */
  announce(): Promise<void>;
  selfCheck(): Promise<SelfCheck>;
  /** Stops the guest for good and gives its memory back. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
