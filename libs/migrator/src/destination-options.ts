import type { Guest, GuestDescription, PageCodec, Transport } from '@godwit/ports';
import type { InjectedFaults } from './pump.ts';

/** What a destination is composed of. */
export interface DestinationOptions {
  readonly transport: Transport;
  /** Where to listen. */
  readonly address: string;
  /**
   * Makes an empty guest equal to the one described, or throws why it cannot. The description comes from outside: check
   * it. Called after the token, the protocol version and the memory were checked.
   */
  readonly createGuest: (description: GuestDescription) => Promise<Guest>;
  /** Codecs that a source may use. */
  readonly codecs?: readonly PageCodec[];
  /** Sources must know it. */
  readonly token?: string;
  /** Resident memory a guest may bring. Default: what the host and this process's cgroup have available right then. */
  readonly memoryLimitBytes?: number;
  /** A source that moves no byte for so long is dead. Default 10,000. */
  readonly timeoutMs?: number;
  /** A file to which it is written, before it happens, that a guest is started; see `journalFence`. */
  readonly journalPath?: string;
  /** Hears of sessions that did not bring a guest. */
  readonly onFailure?: (error: Error) => void;
  /** Defects on purpose, for tests of the verification. */
  readonly injectedFaults?: InjectedFaults;
}
