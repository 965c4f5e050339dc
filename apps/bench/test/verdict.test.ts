import { GodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { type BenchRun, benchDocument } from '../src/bench-document.ts';
import { EXIT, exitCodeOf, exitCodeOfError } from '../src/exit-code.ts';
import { mainScenario } from '../src/main-command.ts';
import { summarise } from '../src/summary.ts';
import { resultTable } from '../src/table.ts';
import { UsageError } from '../src/usage-error.ts';
import { benchRun } from './bench-run.ts';

const scenario = mainScenario('kvm', 'idle', { runs: 2, warm: true });
const missed = { totalMs: 2000, downtimeMs: 10, met: false, missedBecause: 'total 2,100 ms' };

function judge(...runs: readonly BenchRun[]): number {
  return exitCodeOf(benchDocument(scenario, runs, summarise(runs)));
}

describe('the verdict', () => {
  it('is good when every run met the budget, verified, with a guest that is well', () => {
    expect(judge(benchRun(), benchRun({ run: 2 }))).toBe(EXIT.met);
  });

  it('is bad when one run missed the budget', () => {
    expect(judge(benchRun(), benchRun({ budget: missed }))).toBe(EXIT.notMet);
  });

  it('does not hold a disturbed run to the budget, but to its memory', () => {
    expect(judge(benchRun(), benchRun({ disturbed: true, budget: missed }))).toBe(EXIT.met);
    expect(judge(benchRun(), benchRun({ disturbed: true, verified: false }))).toBe(EXIT.notMet);
  });

  it('is bad when all runs were disturbed', () => {
    expect(judge(benchRun({ disturbed: true }))).toBe(EXIT.notMet);
  });

  it('is bad when memory differs, was not compared though asked for, or the guest found an error', () => {
    const { verified: _, ...unverified } = benchRun();
    const selfCheck = { ok: false, errorCount: 1, checkedCount: 9, detail: 'a page is torn' };
    expect(judge(benchRun({ verified: false }))).toBe(EXIT.notMet);
    expect(judge(unverified)).toBe(EXIT.notMet);
    expect(judge(benchRun({ selfCheck }))).toBe(EXIT.notMet);
  });

  it('does not miss a comparison that nobody asked for', () => {
    const { verified: _, ...unverified } = benchRun();
    const document = benchDocument({ ...scenario, verify: false }, [unverified], {});
    expect(document.verified).toBeUndefined();
    expect(exitCodeOf(document)).toBe(EXIT.met);
  });

  it('tells errors apart', () => {
    expect(exitCodeOfError(new UsageError('no'), false)).toBe(EXIT.usage);
    expect(exitCodeOfError(new GodwitError('ERR_GODWIT_UNSUPPORTED'), false)).toBe(EXIT.lacking);
    expect(exitCodeOfError(new GodwitError('ERR_GODWIT_PEER_TIMEOUT'), false)).toBe(EXIT.notMet);
    expect(exitCodeOfError(new Error('whatever'), true)).toBe(EXIT.interrupted);
  });

  it('counts the repetitions that were disturbed at every attempt', () => {
    const runs = [
      benchRun({ run: 1, disturbed: true }),
      benchRun({ run: 1, attempt: 2 }),
      benchRun({ run: 2, disturbed: true }),
    ];
    expect(benchDocument(scenario, runs, {}).undecidedRepetitions).toBe(1);
  });

  it('stands in the table', () => {
    const runs = [benchRun(), benchRun({ disturbed: true })];
    const table = resultTable(benchDocument(scenario, runs, summarise(runs)), false);
    expect(table).toContain(
      'PASS: budget met in 1 of 1 runs, 1 disturbed by the machine, memory verified, self-check passed',
    );
    expect(table).toContain('8 GiB kvm guest');
    expect(table).not.toContain('\u001b');
  });
});
