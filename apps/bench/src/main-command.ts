import { availableParallelism } from 'node:os';
import { GodwitError } from '@godwit/ports';
import type { BenchDocument } from './bench-document.ts';
import { benchmark } from './benchmark.ts';
import { exitCodeOf } from './exit-code.ts';
import { GUEST_KINDS } from './guest-kinds.ts';
import { type Output, type OutputOptions, outputTo } from './output.ts';
import { defaultPlacement } from './placement.ts';
import type { Scenario } from './scenario.ts';

/** What may be changed about the main job. */
export interface MainOptions extends OutputOptions {
  readonly runs: number;
  readonly warm: boolean;
}

/**
 * `godwit-bench main`, which `npm start` runs: an 8 GiB guest with 256 MiB resident that forwards packets moves over a
 * 10 Gb/s link within 2,000 ms, out of service for less than 10 ms; and then the same guest idle. Resolves to the exit code.
 */
export async function mainCommand(options: MainOptions, signal: AbortSignal): Promise<number> {
  const output = outputTo(options);
  const guestKind = await bestGuestKind(output);
  const network = GUEST_KINDS[guestKind]?.network === true;
  const workloads = network ? (['l2fwd', 'idle'] as const) : (['idle'] as const);
  const documents: BenchDocument[] = [];
  for (const workload of workloads) {
    const document = await benchmark(mainScenario(guestKind, workload, options), output.progress, signal);
    output.table(document);
    documents.push(document);
  }
  await output.document(documents);
  return Math.max(...documents.map(exitCodeOf));
}

/** The main job's scenario: the promise of the paper that all this is measured against. */
export function mainScenario(
  guestKind: string,
  workload: 'l2fwd' | 'idle',
  { runs, warm }: Pick<MainOptions, 'runs' | 'warm'>,
): Scenario {
  return {
    guestKind,
    guest: {
      memoryBytes: Math.min(8 * 2 ** 30, GUEST_KINDS[guestKind]?.memoryBytesMax ?? 0),
      residentBytes: 256 * 2 ** 20,
      content: 'random',
      seed: 1,
      workload: { name: workload },
      vcpuCount: 1,
    },
    offeredFramesPerSecond: workload === 'l2fwd' ? 100_000 : 0,
    strategy: 'pre-copy',
    transport: 'tcp',
    linkBytesPerSecond: 1.25e9,
    xbzrle: false,
    xbzrleCacheBytes: 64 * 2 ** 20,
    budget: { totalMs: 2000, downtimeMs: 10 },
    runs,
    repeatsMax: 3,
    verify: true,
    warm,
    placement: defaultPlacement(availableParallelism()),
  };
}

/** The best kind of guest that this machine can have; what is missing is said. */
async function bestGuestKind(output: Output): Promise<string> {
  const missing: string[] = [];
  for (const [name, kind] of Object.entries(GUEST_KINDS)) {
    const reason = await kind.missing();
    if (reason === undefined) {
      for (const lack of missing) output.progress.note(`${lack}; taking one of kind ${name}`);
      return name;
    }
    missing.push(`no ${name} guest here: ${reason}`);
  }
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', missing.join('; '));
}
