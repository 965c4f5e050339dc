import { lengthBytesMax, putLength } from './delta-format.ts';

/** The pages are equal: there is nothing to send. */
export const UNCHANGED = 0;
/** The delta does not fit. */
export const OVERFLOW = -1;

const WORD_BYTES = 4;
/** Words that are compared for one decision: every page is some whole blocks of them. */
const BLOCK_WORDS = 8;

/** Encodes pages of one size, from copies of its own: where the pages lie is all the same, and nobody can write those. */
export class DeltaEncoder {
  readonly #pageSizeBytes: number;
  readonly #old: Uint8Array;
  readonly #current: Uint8Array;
  readonly #oldWords: Int32Array;
  readonly #currentWords: Int32Array;

  constructor(pageSizeBytes: number) {
    this.#pageSizeBytes = pageSizeBytes;
    this.#old = new Uint8Array(pageSizeBytes);
    this.#current = new Uint8Array(pageSizeBytes);
    this.#oldWords = new Int32Array(this.#old.buffer);
    this.#currentWords = new Int32Array(this.#current.buffer);
  }

  /**
   * Writes the delta from `old` to `current` to `into` from `from` on: returns its length, `UNCHANGED` or `OVERFLOW`.
   * Whatever the outcome, all of `into` between `from` and `end` may be overwritten.
   */
  encode(old: Uint8Array, current: Uint8Array, into: Uint8Array, from = 0, end: number = into.length): number {
    this.#old.set(old);
    this.#current.set(current);
    const pageSizeBytes = this.#pageSizeBytes;
    const roomBytes = lengthBytesMax(pageSizeBytes);
    let at = 0;
    let written = from;
    while (at < pageSizeBytes) {
      const start = this.#nextDifference(at);
      if (at === 0 && start === pageSizeBytes) return UNCHANGED;
      if (written + roomBytes > end) return OVERFLOW;
      if (start === pageSizeBytes) break;
      written = putLength(into, written, start - at);
      if (written + roomBytes > end) return OVERFLOW;
      at = this.#nextEqual(start + 1);
      written = putLength(into, written, at - start);
      if (written + at - start > end) return OVERFLOW;
      this.#put(start, at, into, written);
      written += at - start;
    }
    return written - from;
  }

  #nextDifference(from: number): number {
    const [old, current, oldWords, currentWords] = [this.#old, this.#current, this.#oldWords, this.#currentWords];
    let at = from;
    const aligned = Math.min((at + WORD_BYTES - 1) & -WORD_BYTES, old.length);
    for (; at < aligned; at++) if (old[at] !== current[at]) return at;
    const word = nextOtherWord(oldWords, currentWords, at / WORD_BYTES);
    if (word === oldWords.length) return old.length;
    at = word * WORD_BYTES;
    while (old[at] === current[at]) at++;
    return at;
  }

  #nextEqual(from: number): number {
    const [old, current] = [this.#old, this.#current];
    let at = from;
    while (at < old.length && old[at] !== current[at]) at++;
    return at;
  }

  #put(start: number, end: number, into: Uint8Array, at: number): void {
    const current = this.#current;
    // A call of `set` costs as much as the copy of some dozen bytes.
    if (end - start > 48) into.set(current.subarray(start, end), at);
    else for (let index = start; index < end; index++) into[at + index - start] = current[index] ?? 0;
  }
}

/** The first word at or after `from` that differs; their number where none does. */
function nextOtherWord(old: Int32Array, current: Int32Array, from: number): number {
  const end = old.length;
  let word = from;
  while (word < end && word % BLOCK_WORDS !== 0) {
    if (old[word] !== current[word]) return word;
    word++;
  }
  while (word < end && isBlockEqual(old, current, word)) word += BLOCK_WORDS;
  while (word < end && old[word] === current[word]) word++;
  return word;
}

/** One decision for the whole block: a branch a word would cost as much as the comparison. */
function isBlockEqual(old: Int32Array, current: Int32Array, at: number): boolean {
  const low =
    ((old[at] ?? 0) ^ (current[at] ?? 0)) |
    ((old[at + 1] ?? 0) ^ (current[at + 1] ?? 0)) |
    ((old[at + 2] ?? 0) ^ (current[at + 2] ?? 0)) |
    ((old[at + 3] ?? 0) ^ (current[at + 3] ?? 0));
  const high =
    ((old[at + 4] ?? 0) ^ (current[at + 4] ?? 0)) |
    ((old[at + 5] ?? 0) ^ (current[at + 5] ?? 0)) |
    ((old[at + 6] ?? 0) ^ (current[at + 6] ?? 0)) |
    ((old[at + 7] ?? 0) ^ (current[at + 7] ?? 0));
  return (low | high) === 0;
}
