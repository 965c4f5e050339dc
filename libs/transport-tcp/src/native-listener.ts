import { fromNativeError, GodwitError } from '@godwit/ports';
import { AcceptQueue } from './accept-queue.ts';
import type { NativeListener } from './native.ts';
import { NativeTcpConnection } from './native-connection.ts';
import type { TcpConnection, TcpListener, TcpSettings } from './tcp-transport.ts';

/** Accepts on a native thread, one connection at a time and only while somebody waits for one. */
export class NativeTcpListener implements TcpListener {
  readonly address: string;
  readonly #native: NativeListener;
  readonly #settings: TcpSettings;
  readonly #queue: AcceptQueue<TcpConnection> = new AcceptQueue();
  #accepting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(native: NativeListener, settings: TcpSettings) {
    this.#native = native;
    this.#settings = settings;
    this.address = native.address;
  }

  accept(options: { readonly signal?: AbortSignal } = {}): Promise<TcpConnection> {
    const accepted = this.#queue.accept(options.signal);
    this.#accepting ??= this.#acceptWanted();
    return accepted;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #acceptWanted(): Promise<void> {
    while (this.#queue.wanted) {
      try {
        const native = await this.#native.accept(this.#settings.linkBytesPerSecond ?? 0);
        const connection = new NativeTcpConnection(native, this.#settings.timeoutMs);
        if (!this.#queue.offer(connection)) await connection.close();
      } catch (error) {
        this.#queue.fail(fromNativeError(error));
      }
    }
    this.#accepting = undefined;
  }

  async #close(): Promise<void> {
    const reason = new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', `the listener on ${this.address} was closed`);
    const untaken = this.#queue.end(reason);
    await this.#native.close();
    await this.#accepting;
    await Promise.all(untaken.map((connection) => connection.close()));
  }
}
