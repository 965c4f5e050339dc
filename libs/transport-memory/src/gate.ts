import { GodwitError } from '@godwit/ports';

/** Where the transfers on one side of a queue wait for the other side. */
export class Gate {
  readonly #waiters = new Set<() => void>();

  /** Lets the waiters look again, in a later turn of the event loop: two ends that keep each other busy starve nobody. */
  open(): void {
    const waiters = [...this.#waiters];
    if (waiters.length > 0) {
      setImmediate(() => {
        for (const waiter of waiters) waiter();
      });
    }
  }

  /** Resolves when opened; rejects with `ERR_GODWIT_PEER_TIMEOUT` after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const opened = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(opened);
        resolve();
      };
      this.#waiters.add(opened);
      if (timeoutMs < 2 ** 31) {
        timer = setTimeout(() => {
          this.#waiters.delete(opened);
          reject(new GodwitError('ERR_GODWIT_PEER_TIMEOUT', `no byte moved for ${timeoutMs} ms`));
        }, timeoutMs);
      }
    });
  }
}
