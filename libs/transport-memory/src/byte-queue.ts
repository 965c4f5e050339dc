import { Gate } from './gate.ts';

/** A bounded queue of bytes: one direction of a connection. */
export class ByteQueue {
  /** Opens when bytes arrive or the queue ends. */
  readonly filled: Gate = new Gate();
  /** Opens when room arises or the queue ends. */
  readonly drained: Gate = new Gate();
  readonly #ring: Uint8Array;
  #first = 0;
  #lengthBytes = 0;
  #ended = false;

  constructor(capacityBytes: number) {
    this.#ring = new Uint8Array(capacityBytes);
  }

  /** No more bytes come in. What is inside can still be read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Takes as many bytes as there is room for; returns how many. */
  write(bytes: Uint8Array): number {
    if (this.#ended) return 0;
    let taken = 0;
    while (taken < bytes.byteLength && this.#lengthBytes < this.#ring.byteLength) {
      const at = (this.#first + this.#lengthBytes) % this.#ring.byteLength;
      const end = at < this.#first ? this.#first : this.#ring.byteLength;
      const part = bytes.subarray(taken, taken + end - at);
      this.#ring.set(part, at);
      this.#lengthBytes += part.byteLength;
      taken += part.byteLength;
    }
    if (taken > 0) this.filled.open();
    return taken;
  }

  /** Gives as many bytes as there are and fit; returns how many. */
  read(into: Uint8Array): number {
    let given = 0;
    while (given < into.byteLength && this.#lengthBytes > 0) {
      const length = Math.min(this.#lengthBytes, this.#ring.byteLength - this.#first, into.byteLength - given);
      into.set(this.#ring.subarray(this.#first, this.#first + length), given);
      this.#first = (this.#first + length) % this.#ring.byteLength;
      this.#lengthBytes -= length;
      given += length;
    }
    if (given > 0) this.drained.open();
    return given;
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** Lets both sides look at their own state again. */
  wake(): void {
    this.filled.open();
    this.drained.open();
  }
}
