/** Numbers from 0 up to 1, the same for the same seed: G. Marsaglia, "Xorshift RNGs", JSS 8(14), 2003, section 4. */
export function seededRandom(seed: number): () => number {
  let state = (seed * 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
