import type { Backend, PageBitmap, PageRuns, SwitchoverOptions, SwitchoverResult } from '@godwit/ports';
import type { FrameLink } from './frame-link.ts';

/** What was sent since the pump was made. */
export interface PumpCounters {
  readonly zeroPages: number;
  readonly rawPages: number;
  readonly deltaPages: number;
  readonly unchangedPages: number;
  readonly deltaBytes: number;
  /** Of ZERO frames. */
  readonly zeroBytes: number;
  readonly wireBytes: number;
}

/** A switchover that went through. */
export interface Moved
  extends Omit<SwitchoverResult, 'elapsedMs' | 'zeroPages' | 'rawPages' | 'deltaPages' | 'unchangedPages'> {
  readonly pages: number;
  readonly stateBytes: number;
  readonly destinationCpuSeconds: number;
}

/** What became of a switchover. */
export type SwitchoverOutcome =
  | { readonly outcome: 'running'; readonly moved: Moved }
  /** The guest runs at the source again. */
  | { readonly outcome: 'resumed'; readonly error: Error }
  /** COMMIT left, RUNNING did not come: the guest is frozen at the source and may run at the destination. */
  | {
      readonly outcome: 'in-doubt';
      readonly error: Error;
      /** What the switchover was, once it is known that (and, where the clocks agree, when) the guest started there. */
      completed(startedAtNs: number | undefined): Moved;
    };

/** What came of comparing the source's frozen memory with what was installed at the destination. */
export interface Verification {
  readonly comparedPages: number;
  readonly mismatchedPages: number;
  /** The first few that differ. */
  readonly namedPages: readonly number[];
}

/** Defects on purpose, for tests of the verification. */
export interface InjectedFaults {
  /** The tracker forgets one dirty page in so many, from the first on. */
  readonly forgetOneIn?: number;
  /** The pump sends half of an old page in the switchover. */
  readonly tearPage?: boolean;
  /** The destination keeps an old page. */
  readonly keepStalePage?: boolean;
}

/** The sender's half of the data plane. Calls come one after the other, `cancel` at any time. */
export interface SourcePump {
  readonly backend: Backend;
  /** Whether `switchover` honours `approach`. */
  readonly approaches: boolean;
  /** Names the hash of the arrival digest. */
  readonly digest: string;
  present(): Promise<PageBitmap>;
  trackWrites(): Promise<void>;
  stopTracking(): Promise<void>;
  collect(): Promise<PageBitmap>;
  send(runs: PageRuns, encode: boolean): Promise<void>;
  /** Pause, last dirty set, state, READY, COMMIT, RUNNING. Rejects for nothing that the protocol foresees. */
  switchover(options: SwitchoverOptions, epoch: number): Promise<SwitchoverOutcome>;
  /** After the switchover: compares the frozen memory here with what arrived there. */
  verify(): Promise<Verification>;
  /** Gives memory back; nothing but `counters` follows. */
  close(): void;
  /** Instead of `verify`: nothing follows. */
  finish(): Promise<void>;
  /** False if the migration is committed already. */
  cancel(): boolean;
  counters(): PumpCounters;
  /** Goes on over another connection; for the digest after a reconnect. */
  relink(link: FrameLink): void;
}

/** What arrived until the guest started. */
export interface Arrived {
  readonly epoch: number;
  readonly rawPages: number;
  readonly zeroPages: number;
  readonly deltaPages: number;
}

/** Whether an epoch was started at this destination; if not, it never will be. */
export interface EpochFate {
  readonly started: boolean;
  /** On CLOCK_MONOTONIC, nanoseconds; 0 if it was not started, or is just about to be. */
  readonly startedAtNs: number;
}

/** The receiver's half of the data plane. */
export interface DestinationPump {
  readonly backend: Backend;
  /** Resolves when the guest runs here; rejects when it never will. */
  run(): Promise<Arrived>;
  /** After the start: takes late frames and the source's digest; `undefined` where none was agreed on. */
  finish(): Promise<Verification | undefined>;
  /** Decides an epoch for good: it was started here, or it never will be. */
  renounce(epoch: number): EpochFate;
  /** Gives memory back; nothing but `renounce` and `interrupt` follows. */
  close(): void;
  /** Ends what waits for the source. */
  interrupt(): void;
  /** Goes on over another connection; for the digest after a reconnect. */
  relink(link: FrameLink): void;
}
