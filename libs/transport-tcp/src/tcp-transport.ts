import type { Connection, Listener, Transport } from '@godwit/ports';

/** A connection over TCP or a Unix socket. */
export interface TcpConnection extends Connection {
  /**
   * Caps the rate of what this side sends, in bytes a second, also of a send in progress; `undefined` lifts the cap.
   *
   * @throws RangeError for anything else than a number above zero
   */
  setLinkBytesPerSecond(bytesPerSecond: number | undefined): void;
}

/** Listens on a TCP port or a Unix socket. */
export interface TcpListener extends Listener {
  accept(options?: { readonly signal?: AbortSignal }): Promise<TcpConnection>;
}

/** Makes connections over TCP and Unix sockets. Addresses: `tcp://host:port`, `tcp://[::1]:0`, `unix:///path`. */
export interface TcpTransport extends Transport {
  connect(
    address: string,
    options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  ): Promise<TcpConnection>;
  listen(address: string): Promise<TcpListener>;
}

/** The options of `tcp` with the defaults filled in. */
export interface TcpSettings {
  readonly linkBytesPerSecond: number | undefined;
  readonly timeoutMs: number;
  readonly allowInsecure: boolean;
}
