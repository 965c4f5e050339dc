import type { BenchRun } from './bench-document.ts';
import { quantile } from './quantile.ts';

/** Quantiles of one figure over all undisturbed runs. */
export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The figures that are summed up; those that no run has are left out. */
export interface Summary {
  readonly totalMs?: Quantiles;
  readonly setupMs?: Quantiles;
  readonly blackoutMs?: Quantiles;
  readonly downtimeMs?: Quantiles;
  readonly throughputMbps?: Quantiles;
  readonly wireBytes?: Quantiles;
  readonly resentPages?: Quantiles;
  readonly verifyMs?: Quantiles;
  readonly controlGapMs?: Quantiles;
  readonly packetsLost?: Quantiles;
}

const FIGURES: Readonly<Record<keyof Summary, (run: BenchRun) => number | undefined>> = {
  totalMs: (run) => run.totalMs,
  setupMs: (run) => run.setupMs,
  blackoutMs: (run) => run.blackoutMs,
  downtimeMs: (run) => run.downtimeMs,
  throughputMbps: (run) => run.throughputMbps,
  wireBytes: (run) => run.bytes.wire,
  resentPages: (run) => run.pages.resent,
  verifyMs: (run) => run.verifyMs,
  controlGapMs: (run) => run.packets?.controlGapMs,
  packetsLost: (run) => run.packets?.lost,
};

/**
 * Sums up the undisturbed runs. Quantiles are interpolated.
 */
export function summarise(runs: readonly BenchRun[]): Summary {
  const undisturbed = runs.filter((run) => !run.disturbed);
  const figures = Object.entries(FIGURES).flatMap(([name, figure]) => {
    const values = undisturbed.map(figure).filter((value) => value !== undefined);
    return values.length === 0 ? [] : [[name, quantilesOf(values)] as const];
  });
  return Object.fromEntries(figures);
}

/**
 * Quantiles of at least one value.
 * @throws RangeError for none
 */
export function quantilesOf(values: readonly number[]): Quantiles {
  if (values.length === 0) throw new RangeError('no values have no quantiles');
  const sorted = Float64Array.from(values).sort();
  return {
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}
