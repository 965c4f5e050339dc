/** Values for whoever takes them first; each is handed out once. */
export class ArrivalQueue<T> {
  readonly #values: T[] = [];
  readonly #waiting: { resolve(value: T): void; reject(reason: unknown): void }[] = [];
  #endedBecause: Error | undefined;

  push(value: T): void {
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#values.push(value);
    else taker.resolve(value);
  }

  /** The oldest value not taken yet. Rejects with the reason of `end` when no more will come. */
  take(): Promise<T> {
    const value = this.#values.shift();
    if (value !== undefined) return Promise.resolve(value);
    if (this.#endedBecause !== undefined) return Promise.reject(this.#endedBecause);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  end(reason: Error): void {
    this.#endedBecause = reason;
    for (const taker of this.#waiting.splice(0)) taker.reject(reason);
  }
}
