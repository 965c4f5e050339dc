import { createRequire } from 'node:module';
import type { Capsule } from '@godwit/ports';
import type { Arrived, EpochFate, PumpCounters, Verification } from './pump.ts';

/** What `native/source_js.rs` takes. */
export interface NativeSourcePumpOptions {
  readonly memory: Capsule<'memory'>;
  readonly execution: Capsule<'execution'>;
  readonly dirty?: Capsule<'dirty'>;
  readonly scanner: Capsule<'scanner'>;
  readonly encoder?: Capsule<'codec'>;
  readonly channel: Capsule<'channel'>;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly timeoutMs: number;
  readonly sameClock: boolean;
  readonly forgetOneIn?: number;
  readonly tearPage?: boolean;
}

/** Times in nanoseconds. */
export interface NativeSwitchoverOutcome {
  readonly outcome: string;
  readonly error?: string;
  readonly blackoutNs: number;
  readonly pauseNs: number;
  readonly collectNs: number;
  readonly sendNs: number;
  readonly stateNs: number;
  readonly startNs: number;
  readonly wireBytes: number;
  readonly stateBytes: number;
  readonly pages: number;
  readonly destinationCpuUs: number;
  readonly pausedAtNs: number;
  readonly committedAtNs: number;
  readonly approach: readonly { readonly pages: number; readonly bytes: number; readonly ns: number }[];
}

/** The sender's half, in `native/source_js.rs`. */
export interface NativeSourcePump {
  present(): Promise<Uint32Array>;
  trackWrites(): Promise<void>;
  stopTracking(): Promise<void>;
  collect(): Promise<Uint32Array>;
  send(runs: Uint32Array, encode: boolean): Promise<void>;
  switchover(pending: Uint32Array, encode: boolean, approach: boolean, epoch: number): Promise<NativeSwitchoverOutcome>;
  verify(): Promise<Verification>;
  finish(): Promise<void>;
  relink(channel: Capsule<'channel'>, framesSent: number, framesReceived: number): void;
  close(): void;
  cancel(): boolean;
  counters(): PumpCounters;
}

/** What `native/destination_js.rs` takes. */
export interface NativeDestinationPumpOptions {
  readonly memory: Capsule<'memory'>;
  readonly execution: Capsule<'execution'>;
  readonly decoder?: Capsule<'codec'>;
  readonly channel: Capsule<'channel'>;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly timeoutMs: number;
  readonly verify: boolean;
  readonly epoch: number;
  readonly session: string;
  readonly journalPath?: string;
  readonly keepStalePage?: boolean;
}

/** The receiver's half, in `native/destination_js.rs`. */
export interface NativeDestinationPump {
  run(): Promise<Arrived>;
  finish(): Promise<Verification | null>;
  renounce(epoch: number): EpochFate;
  relink(channel: Capsule<'channel'>, framesSent: number, framesReceived: number): void;
  close(): void;
  interrupt(): void;
}

interface Addon {
  readonly NativeSourcePump: new (options: NativeSourcePumpOptions) => NativeSourcePump;
  readonly NativeDestinationPump: new (options: NativeDestinationPumpOptions) => NativeDestinationPump;
}

/** The native pump, or the reason why it is missing. */
export const native: { readonly addon?: Addon; readonly missingBecause?: string } = load();

function load(): { addon?: Addon; missingBecause?: string } {
  try {
    return { addon: createRequire(import.meta.url)('../native.cjs') as Addon };
  } catch (error) {
    return { missingBecause: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) };
  }
}
