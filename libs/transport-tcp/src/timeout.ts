/**
 * Checks a time in milliseconds; `Infinity` is allowed.
 *
 * @throws RangeError
 */
export function timeout(timeoutMs: number | undefined, otherwiseMs: number): number {
  if (timeoutMs === undefined) return otherwiseMs;
  if (!(timeoutMs >= 0)) throw new RangeError(`a timeout of ${timeoutMs} ms`);
  return timeoutMs;
}
