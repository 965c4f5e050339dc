import { dirtyBenchmark } from './dirty-benchmark.ts';
import type { FigureRow } from './figure-row.ts';
import type { MicroContext } from './micro-context.ts';
import type { MicroName } from './micro-names.ts';
import { pageSetBenchmark } from './page-set-benchmark.ts';
import { xbzrleBenchmark } from './xbzrle-benchmark.ts';
import { zeropageBenchmark } from './zeropage-benchmark.ts';

/** Measures one package. */
export type MicroBenchmark = (context: MicroContext) => Promise<readonly FigureRow[]>;

/** What each name measures; the limits are measured in every run. */
export const MICRO_BENCHMARKS: Readonly<Record<MicroName, MicroBenchmark>> = {
  zeropage: zeropageBenchmark,
  xbzrle: xbzrleBenchmark,
  dirty: dirtyBenchmark,
  'page-set': pageSetBenchmark,
  limits: async () => [],
};
