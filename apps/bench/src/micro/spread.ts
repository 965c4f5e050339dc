import { quantile } from '../quantile.ts';

/** What many measurements of one figure gave: the middle one and how far they lie apart. */
export interface Spread {
  readonly median: number;
  /** A twentieth of the measurements lies below. */
  readonly p5: number;
  /** A twentieth of the measurements lies above. */
  readonly p95: number;
  readonly samples: number;
}

/**
 * Median, p5 and p95, interpolated.
 * @throws RangeError for no values
 */
export function spreadOf(values: Iterable<number>): Spread {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) throw new RangeError('no values have no spread');
  return {
    median: quantile(sorted, 0.5),
    p5: quantile(sorted, 0.05),
    p95: quantile(sorted, 0.95),
    samples: sorted.length,
  };
}

/**
 * The spread of `numerators[i] / denominators[i]`: of figures that were taken side by side, so that what slowed the machine
 * down for a moment slowed both.
 * @throws RangeError for different numbers of values, or none
 */
export function pairedRatio(numerators: Float64Array, denominators: Float64Array): Spread {
  if (numerators.length !== denominators.length) {
    throw new RangeError(`${numerators.length} values make no pairs with ${denominators.length}`);
  }
  return spreadOf(numerators.map((value, index) => value / (denominators[index] ?? Number.NaN)));
}
