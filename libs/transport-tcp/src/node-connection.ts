import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type ConnectionCounters, GodwitError, type TransferOptions } from '@godwit/ports';
import { Gate } from './gate.ts';
import { linkRate } from './link-rate.ts';
import { Pacer } from './pacer.ts';
import { pieces } from './pieces.ts';
import type { TcpConnection, TcpSettings } from './tcp-transport.ts';
import { timeout } from './timeout.ts';
import { Turn } from './turn.ts';

/** What is handed to the socket at once; progress is seen piece by piece. */
const PIECE_BYTES = 64 << 10;

/** A connection over a `node:net` socket. */
export class NodeTcpConnection implements TcpConnection {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #sending = new Turn('send');
  readonly #receiving = new Turn('receive');
  readonly #readable = new Gate();
  readonly #writable = new Gate();
  readonly #pacer = new Pacer();
  #rate: number | undefined;
  #unread: Uint8Array | undefined;
  #ended: 'peer' | GodwitError | undefined;
  #writing = false;
  #bytesSent = 0;
  #bytesReceived = 0;
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, remoteAddress: string, settings: TcpSettings) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    this.#timeoutMs = settings.timeoutMs;
    this.#rate = settings.linkBytesPerSecond;
    socket.on('readable', () => this.#readable.open());
    socket.on('end', () => {
      this.#ended ??= 'peer';
      this.#readable.open();
    });
    socket.on('error', (cause) => this.#end(this.#closed('broke', cause)));
    socket.on('close', () => this.#end(this.#closed('was closed')));
  }

  send(chunks: readonly Uint8Array[], options: TransferOptions = {}): Promise<void> {
    return this.#sending.take(async () => {
      const timeoutMs = timeout(options.timeoutMs, this.#timeoutMs);
      this.#check();
      this.#pacer.begin(performance.now(), this.#rate ?? 0);
      for (const piece of pieces(chunks, PIECE_BYTES)) {
        // A copy: Node.js may hold on to it after a timeout, when the caller already uses the memory for something else.
        const bytes = Buffer.concat(piece);
        for (let start = 0; start < bytes.byteLength; ) {
          const length = await this.#linkRoom(bytes.byteLength - start);
          await this.#write(bytes.subarray(start, start + length), timeoutMs);
          start += length;
        }
      }
    });
  }

  receive(into: Uint8Array, options: TransferOptions = {}): Promise<void> {
    return this.#receiving.take(async () => {
      const timeoutMs = timeout(options.timeoutMs, this.#timeoutMs);
      this.#check();
      for (let filled = 0; filled < into.byteLength; ) {
        const taken = this.#take(into.subarray(filled));
        filled += taken;
        if (taken > 0) continue;
        if (this.#ended === 'peer') throw this.#closed('was closed by the peer');
        await this.#readable.wait(timeoutMs, this.remoteAddress);
        this.#check();
      }
    });
  }

  counters(): ConnectionCounters {
    return { bytesSent: this.#bytesSent, bytesReceived: this.#bytesReceived };
  }

  setLinkBytesPerSecond(bytesPerSecond: number | undefined): void {
    this.#rate = linkRate(bytesPerSecond);
  }

  interrupt(): void {
    const message = `the transfer with ${this.remoteAddress} was interrupted from this side`;
    this.#end(new GodwitError('ERR_GODWIT_INTERRUPTED', message));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Moves what the socket has read, as far as there is room. */
  #take(into: Uint8Array): number {
    const bytes: Uint8Array | null = this.#unread ?? this.#socket.read();
    if (bytes === null) return 0;
    const taken = bytes.subarray(0, into.byteLength);
    into.set(taken);
    this.#unread = taken.byteLength < bytes.byteLength ? bytes.subarray(taken.byteLength) : undefined;
    this.#bytesReceived += taken.byteLength;
    return taken.byteLength;
  }

  /** Waits until the link has room; gives how many bytes it takes. Ends when the connection does. */
  async #linkRoom(wantedBytes: number): Promise<number> {
    while (this.#rate !== undefined) {
      const grant = this.#pacer.grant(performance.now(), this.#rate, wantedBytes);
      if ('bytes' in grant) return grant.bytes;
      // Timers are no finer than a millisecond; what is shorter is waited for turn by turn.
      await new Promise<void>((resolve) => {
        if (grant.waitMs >= 2) setTimeout(resolve, Math.floor(grant.waitMs) - 1);
        else setImmediate(resolve);
      });
      this.#check();
    }
    return wantedBytes;
  }

  async #write(bytes: Uint8Array, timeoutMs: number): Promise<void> {
    // What an earlier send that timed out left behind goes first, as it was handed over first.
    while (this.#writing) {
      await this.#writable.wait(timeoutMs, this.remoteAddress);
      this.#check();
    }
    this.#writing = true;
    this.#socket.write(bytes, (error) => {
      this.#writing = false;
      // The event 'error' follows and fails the wait.
      if (error) return;
      this.#bytesSent += bytes.byteLength;
      if (this.#rate !== undefined) this.#pacer.sent(bytes.byteLength);
      this.#writable.open();
    });
    while (this.#writing) {
      await this.#writable.wait(timeoutMs, this.remoteAddress);
      this.#check();
    }
  }

  #check(): void {
    if (this.#ended instanceof GodwitError) throw this.#ended;
  }

  #end(reason: GodwitError): void {
    if (this.#ended instanceof GodwitError) return;
    this.#ended = reason;
    this.#readable.fail(reason);
    this.#writable.fail(reason);
  }

  #closed(how: string, cause?: unknown): GodwitError {
    const message = `the connection with ${this.remoteAddress} ${how}`;
    return new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', message, cause === undefined ? {} : { cause });
  }

  async #close(): Promise<void> {
    this.#end(this.#closed('was closed here'));
    const socket = this.#socket;
    if (socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    if (this.#writing || socket.destroyed) socket.destroy();
    else {
      // A close with unread bytes would reset the connection under the bytes that are still on their way.
      socket.end(() => this.#drop(64));
    }
    await closed;
  }

  /** Reads and drops what has arrived, for some turns at most, and closes the socket. */
  #drop(turns: number): void {
    const idle = this.#socket.read() === null;
    if (turns === 0 || this.#socket.destroyed) this.#socket.destroy();
    else setImmediate(() => this.#drop(idle ? Math.min(turns - 1, 1) : turns - 1));
  }
}
