/** What is to be undone, the last thing first, however the work ends. */
export class Teardown implements AsyncDisposable {
  readonly #steps: (() => Promise<void> | void)[] = [];

  /** Adds a step; it must be idempotent where it may have been taken before. */
  defer(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Takes all steps, whether or not one fails; then rejects with the first failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
