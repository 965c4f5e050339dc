/**
 * Checks a link's rate in bytes a second.
 *
 * @throws RangeError
 */
export function linkRate(bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond === undefined || bytesPerSecond === Number.POSITIVE_INFINITY) return undefined;
  if (!(bytesPerSecond >= 1)) throw new RangeError(`a link rate of ${bytesPerSecond} bytes a second`);
  return bytesPerSecond;
}
