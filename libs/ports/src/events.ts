import type { SwitchoverResult } from './strategy.ts';

/** One pass over the pages that were written since they were last sent. Round 0 sends all populated pages. */
export interface RoundReport {
  readonly round: number;
  readonly pages: number;
  readonly bytes: number;
  readonly ms: number;
  /** Pages written while the round ran. */
  readonly dirtyPages: number;
}

/** What happens during a migration, in order. Remaining bytes may grow (the guest writes); the round never falls. */
export type MigrationEvent =
  | { readonly type: 'phase'; readonly phase: MigrationPhase }
  | {
      readonly type: 'progress';
      readonly round: number;
      readonly remainingBytes: number;
      readonly bytesPerSecond: number;
      /** Until the switchover, if nothing changes. */
      readonly estimateMs: number;
    }
  | { readonly type: 'round'; readonly round: RoundReport }
  | { readonly type: 'switchover'; readonly result: SwitchoverResult };

export type MigrationPhase = 'setup' | 'pre-copy' | 'switchover' | 'complete' | 'verify' | 'done';
