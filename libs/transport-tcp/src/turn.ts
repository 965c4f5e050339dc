/** Holds the callers of one direction to the contract: one transfer at a time. */
export class Turn {
  readonly #name: string;
  #taken = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** @throws TypeError while another transfer is in progress */
  async take<T>(transfer: () => Promise<T>): Promise<T> {
    if (this.#taken) throw new TypeError(`a ${this.#name} is in progress on this connection; wait for it to settle`);
    this.#taken = true;
    try {
      return await transfer();
    } finally {
      this.#taken = false;
    }
  }
}
