import type {
  Budget,
  Clock,
  DirtyTracker,
  Guest,
  PageCodec,
  Strategy,
  Transport,
  ZeroPageScanner,
} from '@godwit/ports';
import type { Fence } from './fence.ts';
import type { InjectedFaults } from './pump.ts';

/** What a migration is composed of. */
export interface MigrationOptions {
  /** Running here, and in no other migration; one that was moved or is in doubt is not. */
  readonly guest: Guest;
  readonly transport: Transport;
  /** Of the destination, as its `address` says. */
  readonly address: string;
  readonly strategy: Strategy;
  readonly budget: Budget;
  readonly scanner: ZeroPageScanner;
  /** Sees the guest's writes. May be missing where the strategy tracks none. Closed by the caller. */
  readonly tracker?: DirtyTracker;
  /** Sends pages that are sent again as deltas. */
  readonly codec?: PageCodec;
  /** Memory for what was sent last. Default 64 MiB. */
  readonly codecCacheBytes?: number;
  /** What the destination asks for. */
  readonly token?: string;
  /** Compare every page on arrival; the source's memory stays until it is done. Default true. */
  readonly verify?: boolean;
  /** The link's rate, where it is known (a cap or an emulated link); strategies use it until they have measured. */
  readonly linkBytesPerSecond?: number;
  /** Cancels until COMMIT; afterwards the migration completes. */
  readonly signal?: AbortSignal;
  /** A peer that moves no byte for so long is dead. Default 10,000. */
  readonly timeoutMs?: number;
  /** How long a switchover in doubt keeps asking the destination and the fence. Default 10,000. */
  readonly reconnectMs?: number;
  /** Proves that a destination died without having started the guest. */
  readonly fence?: Fence;
  /** Default: the monotonic clock of this process. */
  readonly clock?: Clock;
  /** Defects on purpose, for tests of the verification. */
  readonly injectedFaults?: InjectedFaults;
}
