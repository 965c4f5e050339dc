/**
 * Migrates running guests under load between two operating-system processes, with the outside world in a third one, and
 * holds each migration to a budget. The command `godwit-bench` is made of it.
 *
 * @example
 * import { benchmark, mainScenario, silentProgress } from '@godwit/bench';
 *
 * const scenario = mainScenario('kvm', 'l2fwd', { runs: 5, warm: true });
 * const { summary, budgetMet } = await benchmark(scenario, silentProgress, new AbortController().signal);
 *
 * @packageDocumentation
 */
export type { BenchDocument, BenchRun } from './bench-document.ts';
export { benchmark } from './benchmark.ts';
export { EXIT, exitCodeOf } from './exit-code.ts';
export { GUEST_KINDS, type GuestKind, type GuestOptions, type GuestPlace } from './guest-kinds.ts';
export { mainScenario } from './main-command.ts';
export type { Machine } from './micro/machine.ts';
export type { MicroDocument, MicroLimit, MicroResult } from './micro/micro-document.ts';
export { type Placement, parsePlacement } from './placement.ts';
export { lineProgress, type Progress, silentProgress } from './progress.ts';
export { checkScenario, type Scenario, type WorkloadOptions } from './scenario.ts';
export { type Quantiles, quantilesOf, type Summary, summarise } from './summary.ts';
export { resultTable } from './table.ts';
export { UsageError } from './usage-error.ts';
