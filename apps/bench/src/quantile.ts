/**
 * The value below which `share` (0 to 1) of the values lie, interpolated linearly between the two nearest, as of few values
 * any other way gives the largest.
 * @param sorted at least one value, ascending
 */
export function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}
