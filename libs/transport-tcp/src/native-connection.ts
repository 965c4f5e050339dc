import {
  type Capsule,
  type ConnectionCounters,
  fromNativeError,
  GodwitError,
  type TransferOptions,
} from '@godwit/ports';
import { linkRate } from './link-rate.ts';
import type { NativeConnection } from './native.ts';
import { nativeTimeout } from './native-timeout.ts';
import { pieces } from './pieces.ts';
import type { TcpConnection } from './tcp-transport.ts';
import { timeout } from './timeout.ts';
import { Turn } from './turn.ts';

/** Bounds what native code holds of a transfer at a time. */
const PIECE_BYTES = 4 << 20;

/** A connection of the native addon. Bytes pass through its own buffers here; the capsule's do not. */
export class NativeTcpConnection implements TcpConnection {
  readonly remoteAddress: string;
  readonly capsule: Capsule<'channel'>;
  readonly #native: NativeConnection;
  readonly #timeoutMs: number;
  readonly #sending = new Turn('send');
  readonly #receiving = new Turn('receive');
  #closing: Promise<void> | undefined;

  constructor(native: NativeConnection, timeoutMs: number) {
    this.#native = native;
    this.#timeoutMs = timeoutMs;
    this.remoteAddress = native.remoteAddress;
    this.capsule = native.capsule;
  }

  send(chunks: readonly Uint8Array[], options: TransferOptions = {}): Promise<void> {
    return this.#sending.take(() =>
      this.#transfer(options, async (timeoutMs) => {
        // Also for nothing, so that an ended connection says so.
        if (chunks.every((chunk) => chunk.byteLength === 0)) await this.#native.send([], timeoutMs);
        for (const piece of pieces(chunks, PIECE_BYTES)) await this.#native.send(piece, timeoutMs);
      }),
    );
  }

  receive(into: Uint8Array, options: TransferOptions = {}): Promise<void> {
    return this.#receiving.take(() =>
      this.#transfer(options, async (timeoutMs) => {
        let filled = 0;
        do {
          const piece = await this.#native.receive(Math.min(into.byteLength - filled, PIECE_BYTES), timeoutMs);
          into.set(piece, filled);
          filled += piece.byteLength;
        } while (filled < into.byteLength);
      }),
    );
  }

  counters(): ConnectionCounters {
    const { bytesSent, bytesReceived } = this.#native.counters();
    return { bytesSent, bytesReceived };
  }

  setLinkBytesPerSecond(bytesPerSecond: number | undefined): void {
    this.#native.setLinkBytesPerSecond(linkRate(bytesPerSecond) ?? 0);
  }

  interrupt(): void {
    this.#native.interrupt();
  }

  close(): Promise<void> {
    this.#closing ??= this.#native.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #transfer(options: TransferOptions, move: (timeoutMs: number) => Promise<void>): Promise<void> {
    const timeoutMs = nativeTimeout(timeout(options.timeoutMs, this.#timeoutMs));
    if (this.#closing !== undefined) {
      throw new GodwitError(
        'ERR_GODWIT_CONNECTION_CLOSED',
        `the connection with ${this.remoteAddress} was closed here`,
      );
    }
    try {
      await move(timeoutMs);
    } catch (error) {
      throw fromNativeError(error);
    }
  }
}
