import type { Backend, Capsule } from './capsule.ts';
import type { PageBitmap } from './page-bitmap.ts';

/** Knows which pages of a memory were written. */
export interface DirtyTracker {
  /** How: `pagemap-scan`, `kvm-dirty-log`, `kvm-dirty-ring`, `compare`, `software-marks`. */
  readonly name: string;
  readonly backend: Backend;
  readonly pageCount: number;
  readonly capsule?: Capsule<'dirty'>;
  /**
   * Of a tracker that sees contents and not writes: every page as it was when last collected (or at `start`). A page that
   * changed and changed back between two collections is not reported, so whoever sends by what is reported must send
   * from here once `start` has resolved, not from the live memory, where it may have met what never is reported.
   */
  readonly snapshot?: Uint8Array;
  /** From now on writes are recorded. Never inside the blackout: arming may take tens of milliseconds. */
  start(): Promise<void>;
  /**
   * Adds the pages written since `start` or the last `collect` to `into` (bits already set stay set) and forgets them.
   * A concurrent write is reported by this call or by the next, never by none. Resolves to how many pages this call
   * reported.
   */
  collect(into: PageBitmap): Promise<number>;
  stop(): Promise<void>;
  close(): Promise<void>;
}
