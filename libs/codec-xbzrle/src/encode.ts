import { lengthBytesMax, putLength } from './delta-format.ts';

/** The pages are equal: there is nothing to send. */
export const UNCHANGED = 0;
/** The delta does not fit. */
export const OVERFLOW = -1;

/**
 * Writes the delta from `old` to `current` to the beginning of `into`: returns its length, `UNCHANGED` or `OVERFLOW`.
 * Whatever the outcome, all of `into` may be overwritten. The pages are equally long, a multiple of 4 bytes.
 */
export function encodeDelta(old: Uint8Array, current: Uint8Array, into: Uint8Array): number {
  const pageSizeBytes = current.length;
  const oldWords = wordsOf(old);
  const currentWords = wordsOf(current);
  const roomBytes = lengthBytesMax(pageSizeBytes);
  let at = 0;
  let written = 0;
  while (at < pageSizeBytes) {
    const start =
      oldWords === undefined || currentWords === undefined
        ? nextDifference(old, current, at)
        : nextDifferenceByWords(old, current, oldWords, currentWords, at);
    if (at === 0 && start === pageSizeBytes) return UNCHANGED;
    if (written + roomBytes > into.length) return OVERFLOW;
    if (start === pageSizeBytes) break;
    written = putLength(into, written, start - at);
    if (written + roomBytes > into.length) return OVERFLOW;
    at = start + 1;
    while (at < pageSizeBytes && old[at] !== current[at]) at++;
    written = putLength(into, written, at - start);
    if (written + at - start > into.length) return OVERFLOW;
    for (let index = start; index < at; index++) into[written++] = current[index] ?? 0;
  }
  return written;
}

function nextDifference(old: Uint8Array, current: Uint8Array, from: number): number {
  let at = from;
  while (at < old.length && old[at] === current[at]) at++;
  return at;
}

function nextDifferenceByWords(
  old: Uint8Array,
  current: Uint8Array,
  oldWords: Int32Array,
  currentWords: Int32Array,
  from: number,
): number {
  let at = from;
  while (at % 4 !== 0) {
    if (old[at] !== current[at]) return at;
    at++;
  }
  let word = at >>> 2;
  while (word < oldWords.length && oldWords[word] === currentWords[word]) word++;
  return nextDifference(old, current, word * 4);
}

function wordsOf(page: Uint8Array): Int32Array | undefined {
  return page.byteOffset % 4 === 0 ? new Int32Array(page.buffer, page.byteOffset, page.length >>> 2) : undefined;
}
