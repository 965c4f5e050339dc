/** Integers below a limit, the same ones for the same seed: xorshift32 by G. Marsaglia ("Xorshift RNGs", 2003). */
export function randomFrom(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
