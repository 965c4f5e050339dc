import type { Budget } from './budget.ts';
import type { Clock } from './clock.ts';
import type { MigrationEvent } from './events.ts';
import type { PageBitmap, PageRuns } from './page-bitmap.ts';

/** What one call of `send` moved. Pages: how each was sent. */
export interface SendResult {
  readonly zeroPages: number;
  readonly rawPages: number;
  readonly deltaPages: number;
  /** Pages that equal what was sent last, so that nothing was. */
  readonly unchangedPages: number;
  /** Everything that left, headers included. */
  readonly wireBytes: number;
  /** From the call until the destination had installed all of it. */
  readonly elapsedMs: number;
}

export interface SendOptions {
  /** Send deltas against what the peer has, where the composition offers a codec. The first pass of a memory does not. */
  readonly encode: boolean;
}

export interface SwitchoverOptions {
  /** Pages known to be stale or missing at the destination; those written until the guest is paused are added. */
  readonly pending: PageBitmap;
  readonly encode: boolean;
  /**
   * Just before the stop, re-send what the guest writes meanwhile in a few turns without JavaScript in between, as long as
   * each leaves clearly less than the one before. Needs `trackWrites`; ignored where the context does not approach.
   * Default false.
   */
  readonly approach?: boolean;
}

/** How long each part of the blackout took. */
export interface BlackoutPhases {
  readonly pauseMs: number;
  readonly collectMs: number;
  readonly sendMs: number;
  readonly stateMs: number;
  readonly startMs: number;
}

export interface SwitchoverResult extends SendResult {
  /** From the stop of the processors here to their start at the destination. */
  readonly blackoutMs: number;
  readonly blackoutPhases: BlackoutPhases;
  /** The turns of the approach, in order; none where it was not asked for or nothing was to be won. */
  readonly approach: readonly ApproachTurn[];
}

/** One turn of the approach to a switchover. */
export interface ApproachTurn {
  readonly pages: number;
  readonly bytes: number;
  readonly ms: number;
}

/**
 * All that a strategy may touch. It awaits nothing else, so that the same strategy drives a real guest and, on a virtual
 * clock, a simulated one.
 */
export interface MigrationContext {
  readonly clock: Clock;
  readonly budget: Budget;
  /** Aborted when the caller cancels. Every method rejects with its reason from then on. */
  readonly signal: AbortSignal;
  readonly memory: { readonly pageSizeBytes: number; readonly pageCount: number };
  /** Whether `encode` means anything: a codec was given and the peer accepted it. */
  readonly encoding: boolean;
  /** Whether `switchover` can approach: re-send in turns without JavaScript just before the stop. */
  readonly approaches: boolean;
  /** The link's rate in bytes a second if it is known beforehand (a cap, or an emulated link), else undefined. */
  readonly linkBytesPerSecond: number | undefined;
  /** Adds the populated pages to `into`; resolves to how many. Pages never touched are zero at the destination already. */
  presentPages(into: PageBitmap): Promise<number>;
  /** Starts recording writes. */
  trackWrites(): Promise<void>;
  /** Adds the pages written since `trackWrites` or the last call to `into`; resolves to how many. */
  collectDirty(into: PageBitmap): Promise<number>;
  /** Sends pages in the given order and waits until the destination has installed them. */
  send(runs: PageRuns, options: SendOptions): Promise<SendResult>;
  /**
   * Stops the guest here and starts it there. Ends the strategy's work: afterwards the guest runs at the destination.
   * Where it rejects, the guest runs here again (or the error says otherwise: `ERR_GODWIT_IN_DOUBT`).
   */
  switchover(options: SwitchoverOptions): Promise<SwitchoverResult>;
}

/** Decides what to send when, and when to switch over. */
export interface Strategy {
  readonly name: string;
  /** Yields what happens; returns after `switchover` has resolved. */
  run(context: MigrationContext): AsyncGenerator<MigrationEvent, void, void>;
}
