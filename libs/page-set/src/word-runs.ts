const ALL_BITS = 0xffffffff;

/** Sets `bitCount` bits from `firstBit` on, which all lie in `words`. */
export function setRun(words: Uint32Array, firstBit: number, bitCount: number): void {
  if (bitCount === 0) return;
  const last = firstBit + bitCount - 1;
  const [firstWord, lastWord] = [firstBit >>> 5, last >>> 5];
  const [head, tail] = [headMask(firstBit), tailMask(last)];
  if (firstWord === lastWord) {
    words[firstWord] = (words[firstWord] ?? 0) | (head & tail);
    return;
  }
  words[firstWord] = (words[firstWord] ?? 0) | head;
  words.fill(ALL_BITS, firstWord + 1, lastWord);
  words[lastWord] = (words[lastWord] ?? 0) | tail;
}

/** Clears `bitCount` bits from `firstBit` on, which all lie in `words`. */
export function clearRun(words: Uint32Array, firstBit: number, bitCount: number): void {
  if (bitCount === 0) return;
  const last = firstBit + bitCount - 1;
  const [firstWord, lastWord] = [firstBit >>> 5, last >>> 5];
  const [head, tail] = [headMask(firstBit), tailMask(last)];
  if (firstWord === lastWord) {
    words[firstWord] = (words[firstWord] ?? 0) & ~(head & tail);
    return;
  }
  words[firstWord] = (words[firstWord] ?? 0) & ~head;
  words.fill(0, firstWord + 1, lastWord);
  words[lastWord] = (words[lastWord] ?? 0) & ~tail;
}

function headMask(firstBit: number): number {
  return ALL_BITS << (firstBit & 31);
}

function tailMask(lastBit: number): number {
  return ALL_BITS >>> (31 - (lastBit & 31));
}
