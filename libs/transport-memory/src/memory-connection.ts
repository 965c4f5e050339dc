import {
  type Connection,
  type ConnectionCounters,
  type ErrorCode,
  GodwitError,
  type TransferOptions,
} from '@godwit/ports';
import { ByteQueue } from './byte-queue.ts';

/** What an end of a connection is made with. */
export interface EndSettings {
  readonly timeoutMs: number;
  /** Bytes that this end sends before the connection breaks. */
  readonly cutAfterBytes: number;
}

/** One end of a connection inside the process. */
export class MemoryConnection implements Connection {
  readonly remoteAddress: string;
  readonly #settings: EndSettings;
  readonly #outgoing: ByteQueue;
  readonly #incoming: ByteQueue;
  #over: ErrorCode | undefined;
  #sending = false;
  #receiving = false;
  #bytesSent = 0;
  #bytesReceived = 0;

  private constructor(remoteAddress: string, settings: EndSettings, outgoing: ByteQueue, incoming: ByteQueue) {
    this.remoteAddress = remoteAddress;
    this.#settings = settings;
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  /** Both ends of a new connection to `address`. */
  static pair(
    address: string,
    queueBytes: number,
    near: EndSettings,
    far: EndSettings,
  ): readonly [MemoryConnection, MemoryConnection] {
    const [out, back] = [new ByteQueue(queueBytes), new ByteQueue(queueBytes)];
    return [new MemoryConnection(address, near, out, back), new MemoryConnection(address, far, back, out)];
  }

  async send(chunks: readonly Uint8Array[], options: TransferOptions = {}): Promise<void> {
    const timeoutMs = this.#timeout(options);
    if (this.#sending) throw new TypeError('a send is in progress on this connection; wait for it to settle');
    this.#sending = true;
    try {
      this.#check();
      for (const chunk of chunks) {
        for (let sent = 0; sent < chunk.byteLength; ) {
          const length = this.#offer(chunk.subarray(sent));
          sent += length;
          if (length === 0) await this.#outgoing.drained.wait(timeoutMs);
          this.#check();
        }
      }
    } finally {
      this.#sending = false;
    }
  }

  async receive(into: Uint8Array, options: TransferOptions = {}): Promise<void> {
    const timeoutMs = this.#timeout(options);
    if (this.#receiving) throw new TypeError('a receive is in progress on this connection; wait for it to settle');
    this.#receiving = true;
    try {
      this.#check();
      for (let filled = 0; filled < into.byteLength; ) {
        const length = this.#incoming.read(into.subarray(filled));
        filled += length;
        this.#bytesReceived += length;
        if (length > 0) continue;
        if (this.#incoming.ended) throw this.#failure('ERR_GODWIT_CONNECTION_CLOSED');
        await this.#incoming.filled.wait(timeoutMs);
        this.#check();
      }
    } finally {
      this.#receiving = false;
    }
  }

  counters(): ConnectionCounters {
    return { bytesSent: this.#bytesSent, bytesReceived: this.#bytesReceived };
  }

  interrupt(): void {
    this.#over ??= 'ERR_GODWIT_INTERRUPTED';
    this.#outgoing.drained.open();
    this.#incoming.filled.open();
  }

  async close(): Promise<void> {
    this.#over ??= 'ERR_GODWIT_CONNECTION_CLOSED';
    this.#outgoing.end();
    this.#incoming.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Hands over what there is room for, and cuts the connection where its time has come. */
  #offer(bytes: Uint8Array): number {
    if (this.#outgoing.ended) throw this.#failure('ERR_GODWIT_CONNECTION_CLOSED');
    const allowed = this.#settings.cutAfterBytes - this.#bytesSent;
    const length = this.#outgoing.write(bytes.subarray(0, Math.min(bytes.byteLength, allowed)));
    this.#bytesSent += length;
    if (length === allowed) {
      this.#outgoing.end();
      this.#incoming.end();
      if (length < bytes.byteLength) throw this.#failure('ERR_GODWIT_CONNECTION_CLOSED');
    }
    return length;
  }

  #timeout(options: TransferOptions): number {
    const timeoutMs = options.timeoutMs ?? this.#settings.timeoutMs;
    if (!(timeoutMs >= 0)) throw new RangeError(`a timeout of ${timeoutMs} ms`);
    return timeoutMs;
  }

  #check(): void {
    if (this.#over !== undefined) throw this.#failure(this.#over);
  }

  #failure(code: ErrorCode): GodwitError {
    const what = code === 'ERR_GODWIT_INTERRUPTED' ? 'was interrupted from this side' : 'was closed or cut';
    return new GodwitError(code, `the connection with ${this.remoteAddress} ${what}`);
  }
}
