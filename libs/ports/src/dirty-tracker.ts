import type { Backend, Capsule } from './capsule.ts';
import type { PageBitmap } from './page-bitmap.ts';

/** Knows which pages of a memory were written. */
export interface DirtyTracker {
  /** How: `pagemap-scan`, `kvm-dirty-log`, `compare`, `software-marks`. */
  readonly name: string;
  readonly backend: Backend;
  readonly pageCount: number;
  readonly capsule?: Capsule<'dirty'>;
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
