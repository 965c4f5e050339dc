import Benchmark from 'benchmark';
import { type Spread, spreadOf } from './spread.ts';

/** A small synchronous operation; what it returns is consumed. */
export interface Operation {
  readonly name: string;
  run(): unknown;
}

/** How long an operation is measured at most, after enough samples for a spread. */
export interface OperationPlan {
  readonly secondsMax: number;
  readonly samplesMin: number;
  /** How long the compiler may watch it before: the first of several variants pays for it else. */
  readonly warmMs: number;
  readonly signal: AbortSignal;
}

/** Each sample takes at least this long: three orders above the clock's resolution. */
const SAMPLE_SECONDS = 0.01;

/** Written and never read, so that no compiler finds out that an operation's result is of no use. */
const consumed: { last?: unknown } = {};

/**
 * Nanoseconds of one operation, measured with benchmark.js: for operations of microseconds that a loop around them must
 * amortise. Not for anything asynchronous, which benchmark.js does not wait for.
 * @throws what the operation throws, and `signal.reason` when it is aborted before
 */
export async function timeOperation({ name, run }: Operation, plan: OperationPlan): Promise<Spread> {
  const { secondsMax, samplesMin, warmMs, signal } = plan;
  // A turn of the event loop, for the one who wants to interrupt.
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
  warm(run, warmMs);
  const benchmark = new Benchmark(
    name,
    () => {
      consumed.last = run();
    },
    { minSamples: samplesMin, maxTime: secondsMax, minTime: SAMPLE_SECONDS },
  );
  benchmark.run({ async: false });
  if (benchmark.error !== undefined) throw benchmark.error;
  consumed.last = undefined;
  return spreadOf(benchmark.stats.sample.map((seconds) => seconds * 1e9));
}

function warm(run: () => unknown, milliseconds: number): void {
  const end = performance.now() + milliseconds;
  do consumed.last = run();
  while (performance.now() < end);
}
