import { type Connection, type ErrorCode, GodwitError, type Listener, type Transport } from '@godwit/ports';

/** The ways in which a twin is broken; none is the sound one. */
export const flaws = [
  'none',
  'has no name',
  'keeps the address it was given',
  'gives two listeners one address',
  'swaps two bytes far into a stream',
  'loses a byte far into a stream',
  'mixes up the directions',
  'refuses to send nothing',
  'sends the first thousand chunks',
  'holds on to the memory of chunks',
  'fills the whole buffer behind a view',
  'receives what is there',
  'takes whatever is sent',
  'never times out',
  'takes any timeout',
  'takes two receives at once',
  'cannot be interrupted while it receives',
  'cannot be interrupted while it sends',
  'forgets that it was interrupted',
  'closes the peer when interrupted',
  'loses what was sent when it closes',
  'does not tell the peer of a close',
  'does not free a sender when the peer closes',
  'leaves its own receive waiting when it closes',
  'refuses a second close',
  'holds small messages back',
  'counts calls, not bytes',
  'gives every connection the same queue',
  'connects to nobody',
  'listens twice on one address',
  'keeps an address after close',
  'ignores the signal of an accept',
  'does not accept after an abort',
  'lets an accept wait after close',
  'closes connections with the listener',
  'connects for a signal that has fired',
  'takes any address',
] as const;

export type Flaw = (typeof flaws)[number];

const CAPACITY_BYTES = 1 << 20;

class Pipe {
  chunks: Uint8Array[] = [];
  lengthBytes = 0;
  movedBytes = 0;
  ended = false;
  changed: (() => void)[] = [];

  change(): void {
    for (const wake of this.changed.splice(0)) setImmediate(wake);
  }
}

class End implements Connection {
  readonly remoteAddress: string;
  peer: End | undefined;
  readonly #flaw: Flaw;
  readonly #out: Pipe;
  readonly #in: Pipe;
  #over: ErrorCode | undefined;
  #sent = 0;
  #received = 0;
  #receiving = false;

  constructor(flaw: Flaw, remoteAddress: string, out: Pipe, into: Pipe) {
    this.#flaw = flaw;
    this.remoteAddress = remoteAddress;
    this.#out = out;
    this.#in = into;
  }

  async send(given: readonly Uint8Array[], options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#check(options.timeoutMs);
    if (given.length === 0 && this.#flaw === 'refuses to send nothing') throw new TypeError('nothing to send');
    const chunks = this.#flaw === 'sends the first thousand chunks' ? given.slice(0, 1000) : given;
    for (const chunk of chunks) {
      for (let start = 0; start < chunk.byteLength; ) {
        const room =
          this.#flaw === 'takes whatever is sent' ? chunk.byteLength : CAPACITY_BYTES - this.#out.lengthBytes;
        if (this.#out.ended && this.#flaw !== 'does not free a sender when the peer closes')
          this.#fail('ERR_GODWIT_CONNECTION_CLOSED');
        if (room <= 0 || this.#out.ended) {
          await this.#wait(this.#out, options.timeoutMs, this.#flaw === 'cannot be interrupted while it sends');
          continue;
        }
        const part = chunk.subarray(start, start + room);
        start += part.byteLength;
        this.#out.chunks.push(this.#damaged(this.#flaw === 'holds on to the memory of chunks' ? part : part.slice()));
        this.#out.lengthBytes += part.byteLength;
        this.#sent += this.#flaw === 'counts calls, not bytes' ? 1 : part.byteLength;
        if (this.#flaw !== 'holds small messages back' || part.byteLength > 1000) this.#out.change();
      }
    }
  }

  async receive(into: Uint8Array, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#check(options.timeoutMs);
    if (this.#receiving && this.#flaw !== 'takes two receives at once') throw new TypeError('one at a time');
    this.#receiving = true;
    try {
      const room = this.#flaw === 'fills the whole buffer behind a view' ? new Uint8Array(into.buffer) : into;
      const pipe = this.#flaw === 'mixes up the directions' && this.#out.lengthBytes > 0 ? this.#out : this.#in;
      for (let filled = 0; filled < into.byteLength; ) {
        const chunk = pipe.chunks.shift();
        if (chunk === undefined) {
          if (pipe.ended) this.#fail('ERR_GODWIT_CONNECTION_CLOSED');
          await this.#wait(pipe, options.timeoutMs, this.#flaw === 'cannot be interrupted while it receives');
          continue;
        }
        const part = chunk.subarray(0, into.byteLength - filled);
        room.set(part, filled);
        filled += part.byteLength;
        if (part.byteLength < chunk.byteLength) pipe.chunks.unshift(chunk.subarray(part.byteLength));
        pipe.lengthBytes -= part.byteLength;
        this.#received += this.#flaw === 'counts calls, not bytes' ? 1 : part.byteLength;
        pipe.change();
        if (this.#flaw === 'receives what is there') return;
      }
    } finally {
      this.#receiving = false;
    }
  }

  counters(): { readonly bytesSent: number; readonly bytesReceived: number } {
    return { bytesSent: this.#sent, bytesReceived: this.#received };
  }

  interrupt(): void {
    this.#over ??= 'ERR_GODWIT_INTERRUPTED';
    if (this.#flaw === 'closes the peer when interrupted') {
      this.#out.chunks = [];
      this.#out.ended = true;
    }
    this.#out.change();
    this.#in.change();
  }

  async close(): Promise<void> {
    if (this.#flaw === 'refuses a second close' && this.#over !== undefined) this.#fail(this.#over);
    if (this.#flaw === 'leaves its own receive waiting when it closes') {
      this.#out.ended = true;
      return this.#out.change();
    }
    this.#over ??= 'ERR_GODWIT_CONNECTION_CLOSED';
    if (this.#flaw === 'loses what was sent when it closes') this.#out.chunks = [];
    if (this.#flaw === 'does not tell the peer of a close') return this.#in.change();
    this.#out.ended = true;
    this.#in.ended = true;
    this.#out.change();
    this.#in.change();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const before = this.#out.movedBytes;
    this.#out.movedBytes += bytes.byteLength;
    const far = before < 2_000_000 && this.#out.movedBytes >= 2_000_000 && bytes.byteLength > 1;
    if (far && this.#flaw === 'loses a byte far into a stream') return bytes.subarray(1);
    if (far && this.#flaw === 'swaps two bytes far into a stream') bytes.subarray(0, 2).reverse();
    return bytes;
  }

  #check(timeoutMs = 0): void {
    if (!(timeoutMs >= 0) && this.#flaw !== 'takes any timeout') throw new RangeError('no time');
    const over = this.#over;
    if (this.#flaw === 'forgets that it was interrupted' && over === 'ERR_GODWIT_INTERRUPTED') this.#over = undefined;
    else if (over !== undefined) this.#fail(over);
  }

  #fail(code: ErrorCode): never {
    throw new GodwitError(code);
  }

  async #wait(pipe: Pipe, timeoutMs: number = Number.POSITIVE_INFINITY, deaf = false): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      pipe.changed.push(() => {
        clearTimeout(timer);
        resolve();
      });
      if (timeoutMs < 2 ** 31 && this.#flaw !== 'never times out') {
        timer = setTimeout(() => reject(new GodwitError('ERR_GODWIT_PEER_TIMEOUT')), timeoutMs);
      }
    });
    if (this.#over !== undefined && !deaf) this.#fail(this.#over);
  }
}

class TwinListener implements Listener {
  readonly address: string;
  readonly ends: End[] = [];
  closed = false;
  readonly #flaw: Flaw;
  readonly #release: () => void;
  readonly #arrived: End[] = [];
  #waiters: { take(end: End): void; fail(reason: unknown): void }[] = [];
  #deaf = false;

  constructor(flaw: Flaw, address: string, release: () => void) {
    this.#flaw = flaw;
    this.address = address;
    this.#release = release;
  }

  accept({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Connection> {
    if (this.closed && this.#flaw !== 'lets an accept wait after close')
      return Promise.reject(new GodwitError('ERR_GODWIT_CONNECTION_CLOSED'));
    if (signal?.aborted && this.#flaw !== 'ignores the signal of an accept') return Promise.reject(signal.reason);
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((take, fail) => {
      const waiter = { take, fail };
      this.#waiters.push(waiter);
      if (this.#flaw === 'ignores the signal of an accept') return;
      signal?.addEventListener('abort', () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        if (this.#flaw === 'does not accept after an abort') this.#deaf = true;
        fail(signal.reason);
      });
    });
  }

  arrive(end: End): void {
    this.ends.push(end);
    const waiter = this.#deaf ? undefined : this.#waiters.shift();
    if (waiter === undefined) {
      if (!this.#deaf) this.#arrived.push(end);
    } else waiter.take(end);
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.#flaw !== 'keeps an address after close') this.#release();
    if (this.#flaw === 'closes connections with the listener') for (const end of this.ends) await end.close();
    if (this.#flaw === 'lets an accept wait after close') return;
    for (const { fail } of this.#waiters.splice(0)) fail(new GodwitError('ERR_GODWIT_CONNECTION_CLOSED'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A small transport inside the process, sound or broken in one way. Listens on `twin://any`. */
export function twinTransport(flaw: Flaw): Transport {
  const listeners = new Map<string, TwinListener>();
  const shared = [new Pipe(), new Pipe()] as const;
  let names = 0;
  const check = (address: string): void => {
    if (!/^twin:\/\/\w+$/.test(address) && flaw !== 'takes any address') throw new TypeError('no address');
  };
  return {
    name: flaw === 'has no name' ? '' : 'twin',
    backend: 'typescript',
    async connect(address, { signal } = {}) {
      check(address);
      if (flaw !== 'connects for a signal that has fired') signal?.throwIfAborted();
      const listener = listeners.get(address);
      if (listener === undefined && flaw !== 'connects to nobody') {
        throw new GodwitError('ERR_GODWIT_CONNECT_FAILED', `nobody on ${address}`);
      }
      const [out, back] = flaw === 'gives every connection the same queue' ? shared : [new Pipe(), new Pipe()];
      listener?.arrive(new End(flaw, 'twin://far', back, out));
      return new End(flaw, address, out, back);
    },
    async listen(address) {
      check(address);
      let resolved = address;
      if (address === 'twin://any' && flaw !== 'keeps the address it was given') {
        if (flaw !== 'gives two listeners one address') names += 1;
        resolved = `twin://free${names}`;
      }
      const lax = flaw === 'listens twice on one address' || flaw === 'gives two listeners one address';
      if (listeners.has(resolved) && !lax) throw new GodwitError('ERR_GODWIT_LISTEN_FAILED', `${resolved} is in use`);
      const listener = new TwinListener(flaw, resolved, () => listeners.delete(resolved));
      listeners.set(resolved, listener);
      return listener;
    },
  };
}
