import { GodwitError, type Listener } from '@godwit/ports';
import type { EndSettings, MemoryConnection } from './memory-connection.ts';

/** A name that can be connected to. */
export class MemoryListener implements Listener {
  readonly address: string;
  readonly settings: EndSettings;
  readonly #release: () => void;
  readonly #arrived: MemoryConnection[] = [];
  readonly #waiters = new Set<{ take(connection: MemoryConnection): void; fail(reason: unknown): void }>();
  #closed = false;

  constructor(address: string, settings: EndSettings, release: () => void) {
    this.address = address;
    this.settings = settings;
    this.#release = release;
  }

  accept(options: { readonly signal?: AbortSignal } = {}): Promise<MemoryConnection> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed) return Promise.reject(this.#failure());
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve, reject) => {
      const settled = (settle: () => void): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
        settle();
      };
      const abort = (): void => waiter.fail(signal?.reason);
      const waiter = {
        take: (connection: MemoryConnection): void => settled(() => resolve(connection)),
        fail: (reason: unknown): void => settled(() => reject(reason)),
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** The far end of a connection that somebody makes. */
  arrive(connection: MemoryConnection): void {
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#arrived.push(connection);
    else waiter.take(connection);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    for (const waiter of [...this.#waiters]) waiter.fail(this.#failure());
    await Promise.all(this.#arrived.splice(0).map((connection) => connection.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #failure(): GodwitError {
    return new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', `the listener on ${this.address} was closed`);
  }
}
