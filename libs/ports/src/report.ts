import type { Budget } from './budget.ts';
import type { RoundReport } from './events.ts';
import type { BlackoutPhases } from './strategy.ts';

/** Frames as the outside world counted them. */
export interface PacketReport {
  readonly offered: number;
  readonly returned: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly longestGapMs: number;
  /** Longest gap in a window of equal length without a migration, just before. */
  readonly controlGapMs: number;
}

/** The outcome of one migration: one document from the library, the bench and the demo. Times are of one machine's monotonic clock. */
export interface MigrationReport {
  readonly strategy: string;
  readonly transport: string;
  readonly guest: {
    readonly kind: string;
    readonly memoryBytes: number;
    readonly residentBytes: number;
    readonly workload: string;
  };
  /** From the call on a running source until RUNNING is acknowledged and every page is at the destination. */
  readonly totalMs: number;
  /** Handshake, admission, arming of the dirty tracker. */
  readonly setupMs: number;
  /** From processor stop to processor start. */
  readonly blackoutMs: number;
  /** Longest gap seen by the outside world; equals the blackout where there is no outside. */
  readonly downtimeMs: number;
  readonly blackoutPhases: BlackoutPhases;
  readonly rounds: readonly RoundReport[];
  readonly bytes: {
    readonly wire: number;
    readonly zero: number;
    readonly raw: number;
    readonly xbzrle: number;
    readonly precopy: number;
    readonly downtime: number;
    readonly postcopy: number;
  };
  readonly pages: {
    readonly zero: number;
    readonly raw: number;
    readonly delta: number;
    readonly unchanged: number;
    readonly resent: number;
    readonly faulted: number;
    readonly prefetched: number;
  };
  readonly throughputMbps: number;
  readonly dirtyPagesPerSecond: number;
  readonly cpuSeconds: { readonly source: number; readonly destination: number };
  readonly packets?: PacketReport;
  /** The control window alone had a gap above half the budget: the machine, not the migration. */
  readonly disturbed: boolean;
  /** Every page at the destination equals the source's frozen page; undefined where it was not asked for. */
  readonly verified?: boolean;
  readonly verifyMs?: number;
  readonly mismatchedPages?: number;
  /** Why `verified` is false without a mismatch: the guest runs at the destination, but nothing could be compared. */
  readonly verifyError?: string;
  readonly budget: Budget & { readonly met: boolean; readonly missedBecause?: string };
  readonly backends: Readonly<Record<string, string>>;
  readonly host: Readonly<Record<string, string | number>>;
}
