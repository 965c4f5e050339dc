interface Waiter<T> {
  resolve(connection: T): void;
  reject(reason: unknown): void;
}

/** Brings connections that arrived together with calls of `accept`, both in their order. */
export class AcceptQueue<T> {
  readonly #waiters = new Set<Waiter<T>>();
  readonly #arrived: T[] = [];
  #ended: { readonly reason: unknown } | undefined;

  /** Whether a call waits for a connection. */
  get wanted(): boolean {
    return this.#waiters.size > 0;
  }

  /** The next connection; rejects with `signal.reason` or with the reason the queue ended for. */
  accept(signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#ended !== undefined) return Promise.reject(this.#ended.reason);
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const done = (): void => signal?.removeEventListener('abort', abort);
      const waiter: Waiter<T> = {
        resolve: (connection) => {
          done();
          resolve(connection);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** A connection arrived. False: the queue has ended, and nobody will take it. */
  offer(connection: T): boolean {
    if (this.#ended !== undefined) return false;
    const [waiter] = this.#waiters;
    if (waiter === undefined) this.#arrived.push(connection);
    else {
      this.#waiters.delete(waiter);
      waiter.resolve(connection);
    }
    return true;
  }

  /** Rejects the calls that wait. */
  fail(reason: unknown): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.reject(reason);
  }

  /** Rejects the calls that wait and all later ones; gives back the connections that nobody took. */
  end(reason: unknown): T[] {
    this.#ended ??= { reason };
    this.fail(reason);
    return this.#arrived.splice(0);
  }
}
