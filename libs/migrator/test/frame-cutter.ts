import { decodeHeader, type FrameName, HEADER_BYTES } from '../src/frame.ts';

/** Cuts a stream of bytes into its frames, raw pages included. */
export class FrameCutter {
  readonly #emit: (name: FrameName, bytes: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);
  #sequence = 0;

  constructor(emit: (name: FrameName, bytes: Buffer) => void) {
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= HEADER_BYTES) {
      const { name, bodyBytes, rawBytes } = decodeHeader(this.#held.subarray(0, HEADER_BYTES), this.#sequence);
      const length = HEADER_BYTES + bodyBytes + rawBytes;
      if (this.#held.length < length) return;
      const frame = this.#held.subarray(0, length);
      this.#held = this.#held.subarray(length);
      this.#sequence = (this.#sequence + 1) >>> 0;
      this.#emit(name, frame);
    }
  }
}
