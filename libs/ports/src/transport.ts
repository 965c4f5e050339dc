import type { Backend, Capsule } from './capsule.ts';

export interface TransferOptions {
  /** Rejects with `ERR_GODWIT_PEER_TIMEOUT` when no byte moved for so long. Default 10,000. */
  readonly timeoutMs?: number;
}

/** What went over a connection so far, counted where the bytes leave and enter the process. */
export interface ConnectionCounters {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/**
 * A reliable, ordered stream of bytes in both directions. One `send` and one `receive` at a time; those two may overlap.
 * The native pump drives `capsule` instead of the methods; never both at once in one direction.
 */
export interface Connection {
  readonly remoteAddress: string;
  readonly capsule?: Capsule<'channel'>;
  /** Sends all chunks in order; they may be reused when it resolves. */
  send(chunks: readonly Uint8Array[], options?: TransferOptions): Promise<void>;
  /** Fills `into` completely, or rejects (`ERR_GODWIT_CONNECTION_CLOSED`, `ERR_GODWIT_PEER_TIMEOUT`). */
  receive(into: Uint8Array, options?: TransferOptions): Promise<void>;
  counters(): ConnectionCounters;
  /** Ends transfers in progress and all later ones with `ERR_GODWIT_INTERRUPTED`. */
  interrupt(): void;
  /** Idempotent. Bytes that were sent still arrive. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Listener {
  /** Where peers connect to, with the real port: `tcp://127.0.0.1:40123`. */
  readonly address: string;
  /** The next connection. Rejects with `signal.reason`, or `ERR_GODWIT_CONNECTION_CLOSED` after `close`. */
  accept(options?: { readonly signal?: AbortSignal }): Promise<Connection>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes connections. */
export interface Transport {
  readonly name: string;
  readonly backend: Backend;
  /**
   * @throws GodwitError `ERR_GODWIT_CONNECT_FAILED`
   * @throws TypeError for an address it cannot read
   */
  connect(
    address: string,
    options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  ): Promise<Connection>;
  /** @throws GodwitError `ERR_GODWIT_LISTEN_FAILED`, as when the port is in use */
  listen(address: string): Promise<Listener>;
}
