import { availableIsas as codecIsas } from '@godwit/codec-xbzrle';
import { availableIsas as pageSetIsas } from '@godwit/page-set';
import { GodwitError } from '@godwit/ports';
import { availableIsas as scannerIsas } from '@godwit/zeropage-simd';
import { loadBenchAddon } from './bench-native.ts';
import type { TimingPlan } from './interleaved-timing.ts';
import { measureLimits } from './limits.ts';
import { describeMachine } from './machine.ts';
import { measuringMemory } from './measuring-memory.ts';
import { placeMeasuringThread } from './measuring-thread.ts';
import { MICRO_BENCHMARKS } from './micro-benchmarks.ts';
import type { MicroContext } from './micro-context.ts';
import { type MicroDocument, type MicroResult, microResult } from './micro-document.ts';
import { MICRO_NAMES, type MicroName } from './micro-names.ts';

/** What is measured, and how thoroughly. */
export interface MicroOptions {
  /** Default: all. */
  readonly benchmarks?: readonly MicroName[];
  /** Instruction sets; default all that the processor has. */
  readonly isas?: readonly string[];
  /** Seconds instead of minutes: fewer samples of smaller memories. */
  readonly quick?: boolean;
  /** Processor for the measuring thread; undefined leaves it to the scheduler. */
  readonly processor?: number;
  readonly signal: AbortSignal;
  /** Hears what is measured now. */
  readonly onStage?: (stage: string) => void;
}

/**
 * Measures the machine's limits and then what was asked for.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where a native build or an instruction set is missing, or where the one
 * benchmark asked for has nothing native to measure here
 * @throws Error where a measured operation gave a wrong result
 * @throws `signal.reason` when it is aborted
 */
export async function runMicro(options: MicroOptions): Promise<MicroDocument> {
  const { benchmarks = MICRO_NAMES, isas, quick = false, processor, signal, onStage } = options;
  const addon = loadBenchAddon();
  const available = availableIsas();
  const missing = isas?.find((isa) => !available.includes(isa));
  if (missing !== undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this processor, or what is built here, has no ${missing}`);
  }
  const thread = await placeMeasuringThread(addon, processor);
  onStage?.('populating memory');
  const memory = measuringMemory(addon, quick);
  try {
    const { plan, longPlan } = plansOf(quick, signal);
    onStage?.("the machine's limits");
    const limits = await measureLimits(addon, memory, thread, plan, { ...longPlan, rounds: quick ? 3 : 11 });
    const notMeasured: string[] = [];
    const context: MicroContext = {
      addon,
      memory,
      thread,
      limits,
      wants: (isa) => isas === undefined || isas.includes(isa),
      plan,
      longPlan,
      operationPlan: { secondsMax: quick ? 0.05 : 0.5, samplesMin: quick ? 5 : 30, warmMs: quick ? 5 : 30, signal },
      quick,
      notMeasured: (what) => notMeasured.push(what),
    };
    const results: MicroResult[] = [];
    for (const name of benchmarks) {
      signal.throwIfAborted();
      if (name !== 'limits') onStage?.(name);
      const rows = await MICRO_BENCHMARKS[name](context);
      results.push(...rows.map((row) => microResult(name, row)));
    }
    const [only] = benchmarks.length === 1 ? benchmarks : [];
    if (only !== undefined && only !== 'limits' && !results.some(({ backend }) => backend === 'native')) {
      throw new GodwitError('ERR_GODWIT_UNSUPPORTED', notMeasured.join('; '));
    }
    const measuredIsas = available.filter(context.wants);
    const machine = {
      ...describeMachine(),
      isas: measuredIsas,
      measuredBytes: memory.bytes.length,
      hugePages: memory.hugePages,
      processors: thread.processors,
      placement: thread.placement,
    };
    return { machine, quick, limits: limits.rows, results, notMeasured };
  } finally {
    memory.release();
    thread.release();
  }
}

/** Those of which any package has a kernel that runs here. */
function availableIsas(): readonly string[] {
  return [...new Set<string>([...scannerIsas(), ...codecIsas(), ...pageSetIsas()])];
}

function plansOf(quick: boolean, signal: AbortSignal): { readonly plan: TimingPlan; readonly longPlan: TimingPlan } {
  return {
    plan: { rounds: quick ? 7 : 41, sampleMs: quick ? 1 : 3, signal },
    longPlan: { rounds: quick ? 3 : 15, sampleMs: quick ? 1 : 3, signal },
  };
}
