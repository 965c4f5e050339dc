import { GodwitError } from '@godwit/ports';

/** Where one transfer waits for its socket. */
export class Gate {
  #waiter: { resolve(): void; reject(reason: unknown): void } | undefined;

  /** Lets the waiter look again. */
  open(): void {
    this.#waiter?.resolve();
  }

  /** Ends the wait. */
  fail(reason: unknown): void {
    this.#waiter?.reject(reason);
  }

  /** Resolves when opened; rejects when failed, and with `ERR_GODWIT_PEER_TIMEOUT` after `timeoutMs`. */
  wait(timeoutMs: number, remoteAddress: string): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settled = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiter = undefined;
        settle();
      };
      this.#waiter = { resolve: () => settled(resolve), reject: (reason) => settled(() => reject(reason)) };
      if (timeoutMs < 2 ** 31) {
        timer = setTimeout(() => {
          const message = `no byte moved to or from ${remoteAddress} for ${timeoutMs} ms`;
          this.fail(new GodwitError('ERR_GODWIT_PEER_TIMEOUT', message));
        }, timeoutMs);
      }
    });
  }
}
