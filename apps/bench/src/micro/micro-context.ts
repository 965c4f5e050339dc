import type { BenchAddon } from './bench-native.ts';
import type { TimingPlan } from './interleaved-timing.ts';
import type { Limits } from './limits.ts';
import type { MeasuringMemory } from './measuring-memory.ts';
import type { MeasuringThread } from './measuring-thread.ts';
import type { OperationPlan } from './operation-timing.ts';

/** What a benchmark works with. */
export interface MicroContext {
  readonly addon: BenchAddon;
  readonly memory: MeasuringMemory;
  readonly thread: MeasuringThread;
  readonly limits: Limits;
  /** Whether an instruction set was asked for; all are where none was named. */
  wants(isa: string): boolean;
  /** For work of microseconds that is repeated, interleaved with what it is compared with. */
  readonly plan: TimingPlan;
  /** For work of tens of milliseconds, which is run once a sample. */
  readonly longPlan: TimingPlan;
  /** For small operations under benchmark.js. */
  readonly operationPlan: OperationPlan;
  readonly quick: boolean;
  /** Says what cannot be measured here. */
  notMeasured(what: string): void;
}

/** Ends a benchmark whose work went wrong: a wrong result is no result, however fast it came. */
export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`a measured result is wrong: ${what}`);
}
