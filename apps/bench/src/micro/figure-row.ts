import type { Timing } from './interleaved-timing.ts';
import type { Spread } from './spread.ts';
import { pairedRatio, spreadOf } from './spread.ts';

/** What does the work of a row: our native or TypeScript code, Node's own native code, or a loop in plain JavaScript. */
export type RowBackend = 'native' | 'typescript' | 'node' | 'javascript';

/** What a figure is held to. */
export interface Target {
  readonly better: 'higher' | 'lower';
  readonly must: number;
  readonly aim?: number;
}

/** A target that no figure may be above. */
export function atMost(must: number, aim?: number): Target {
  return { better: 'lower', must, ...(aim !== undefined && { aim }) };
}

/** A target that no figure may be below. */
export function atLeast(must: number, aim?: number): Target {
  return { better: 'higher', must, ...(aim !== undefined && { aim }) };
}

/** The limit a figure is a share of. */
export interface LimitShare {
  readonly name: string;
  /** 1 is the limit itself. */
  readonly share: number;
}

/** One figure. */
export interface FigureRow {
  /** What was done. */
  readonly name: string;
  /** By what: an instruction set, an implementation, a baseline. */
  readonly variant: string;
  readonly backend: RowBackend;
  readonly unit: string;
  readonly spread: Spread;
  readonly target?: Target;
  readonly limit?: LimitShare;
}

/** How much a sample of a variant did: bytes per nanosecond are GB/s. */
export function rateOf(timing: Timing, bytesPerRun: number): Spread {
  return spreadOf(timing.nanoseconds.map((nanoseconds) => bytesPerRun / nanoseconds));
}

const NANOSECONDS = { ns: 1, µs: 1e3, ms: 1e6 } as const;

/** How long one of `parts` parts of a run took. */
export function durationOf(timing: Timing, unit: keyof typeof NANOSECONDS, parts = 1): Spread {
  return spreadOf(timing.nanoseconds.map((nanoseconds) => nanoseconds / (parts * NANOSECONDS[unit])));
}

/** How many times as fast as another variant, sample by sample; `bytes` and `otherBytes` where a run does not do as much. */
export function speedupOf(timing: Timing, other: Timing, bytes = 1, otherBytes = 1): Spread {
  return pairedRatio(
    timing.nanoseconds.map((nanoseconds) => bytes / nanoseconds),
    other.nanoseconds.map((nanoseconds) => otherBytes / nanoseconds),
  );
}

/** A spread in percent. */
export function percent(spread: Spread): Spread {
  return { median: 100 * spread.median, p5: 100 * spread.p5, p95: 100 * spread.p95, samples: spread.samples };
}
