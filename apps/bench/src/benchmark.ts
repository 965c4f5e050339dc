import { type BenchDocument, type BenchRun, benchDocument } from './bench-document.ts';
import type { Progress } from './progress.ts';
import { repetition } from './repetition.ts';
import type { Scenario } from './scenario.ts';
import { summarise } from './summary.ts';

/**
 * Makes all repetitions of a scenario one after the other. One that the machine disturbed is made again, up to
 * `repeatsMax` times; all attempts are reported.
 * @throws whatever ended a migration that did not go through, and `signal.reason` when it is aborted
 */
export async function benchmark(scenario: Scenario, progress: Progress, signal: AbortSignal): Promise<BenchDocument> {
  const runs: BenchRun[] = [];
  for (let run = 1; run <= scenario.runs; run += 1) {
    for (let attempt = 1; attempt <= 1 + scenario.repeatsMax; attempt += 1) {
      progress.begin(run, scenario.runs, attempt);
      const done = await repetition(scenario, {
        run,
        attempt,
        signal,
        onStage: (stage) => progress.stage(stage),
        onEvent: (event) => progress.event(event),
      });
      runs.push(done);
      progress.done(done);
      if (!done.disturbed) break;
    }
  }
  return benchDocument(scenario, runs, summarise(runs));
}
