import { GodwitError } from '@godwit/ports';
import { benchmark } from './benchmark.ts';
import { exitCodeOf } from './exit-code.ts';
import { GUEST_KINDS } from './guest-kinds.ts';
import { type OutputOptions, outputTo } from './output.ts';
import type { Scenario } from './scenario.ts';

/**
 * `godwit-bench migrate`: the repetitions of one scenario, its table and its document. Resolves to the exit code.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the machine lacks what was asked for
 */
export async function migrateCommand(scenario: Scenario, options: OutputOptions, signal: AbortSignal): Promise<number> {
  const missing = await GUEST_KINDS[scenario.guestKind]?.missing();
  if (missing !== undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `no ${scenario.guestKind} guest on this machine: ${missing}`);
  }
  const output = outputTo(options);
  const document = await benchmark(scenario, output.progress, signal);
  output.table(document);
  await output.document(document);
  return exitCodeOf(document);
}
