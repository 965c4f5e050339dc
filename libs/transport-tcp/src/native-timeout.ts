/** Milliseconds as native code takes them: 32 bits, of which the highest number is no timeout. */
export function nativeTimeout(timeoutMs: number): number {
  return Math.min(Math.ceil(timeoutMs), 0xffff_ffff);
}
