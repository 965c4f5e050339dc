/** Joins two bitmaps word by word, as one would write it without a package. */
export function plainOr(words: Uint32Array, others: Uint32Array): void {
  for (let index = 0; index < words.length; index += 1) words[index] = (words[index] ?? 0) | (others[index] ?? 0);
}

/** Counts bits by taking the lowest away, again and again. */
export function plainCount(words: Uint32Array): number {
  let bits = 0;
  for (let index = 0; index < words.length; index += 1) {
    for (let word = words[index] ?? 0; word !== 0; word &= word - 1) bits += 1;
  }
  return bits;
}
