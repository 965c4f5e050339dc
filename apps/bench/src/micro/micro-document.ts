import type { FigureRow, RowBackend } from './figure-row.ts';
import type { Machine } from './machine.ts';

/** A rate of a bare loop that does nothing else, measured in the same run. */
export interface MicroLimit {
  readonly name: string;
  /** The median. */
  readonly value: number;
  readonly unit: string;
  readonly p5: number;
  readonly p95: number;
  readonly samples: number;
  /** The loop. */
  readonly variant: string;
  /** No other loop was faster: this one's rate is the limit. */
  readonly fastest: boolean;
}

/** One figure of the document. */
export interface MicroResult {
  /** The benchmark it belongs to: `zeropage`, `xbzrle`, ... */
  readonly benchmark: string;
  readonly name: string;
  readonly variant: string;
  readonly backend: RowBackend;
  /** The median. */
  readonly value: number;
  readonly unit: string;
  readonly p5: number;
  readonly p95: number;
  readonly samples: number;
  /** Of the limit named in `limit`: 1 is the limit itself; null where there is none that means something. */
  readonly shareOfLimit: number | null;
  readonly limit?: string;
  readonly better?: 'higher' | 'lower';
  readonly must?: number;
  readonly aim?: number;
  /** The must is met by the median, as rounded for the table. */
  readonly met?: boolean;
  readonly aimMet?: boolean;
}

/** What `godwit-bench micro` writes. */
export interface MicroDocument {
  readonly machine: Machine;
  /** Fewer samples of smaller memories: not for quoting. */
  readonly quick: boolean;
  readonly limits: readonly MicroLimit[];
  readonly results: readonly MicroResult[];
  /** What could not be measured here, and why. */
  readonly notMeasured: readonly string[];
}

/** A figure for people, and what it is judged by: three digits, or all before the point. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** A row of a benchmark as the document has it, judged. */
export function microResult(benchmark: string, row: FigureRow): MicroResult {
  const { name, variant, backend, unit, spread, target, limit } = row;
  const shown = Number(formatFigure(spread.median));
  const reaches = (goal: number): boolean => (target?.better === 'lower' ? shown <= goal : shown >= goal);
  return {
    benchmark,
    name,
    variant,
    backend,
    value: spread.median,
    unit,
    p5: spread.p5,
    p95: spread.p95,
    samples: spread.samples,
    shareOfLimit: limit?.share ?? null,
    ...(limit && { limit: limit.name }),
    ...(target && { better: target.better, must: target.must, met: reaches(target.must) }),
    ...(target?.aim !== undefined && { aim: target.aim, aimMet: reaches(target.aim) }),
  };
}

/** Every must of the document is met. */
export function everyMustMet({ results }: Pick<MicroDocument, 'results'>): boolean {
  return results.every(({ met }) => met !== false);
}
