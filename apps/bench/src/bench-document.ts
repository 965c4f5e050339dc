import type { MigrationReport, SelfCheck } from '@godwit/ports';
import type { WindowReport } from '@godwit/wire';
import type { Scenario } from './scenario.ts';
import type { Summary } from './summary.ts';

/** The report of one migration, with what the outside world and the hosts had to say about it. */
export interface BenchRun extends Omit<MigrationReport, 'packets'> {
  /** Which repetition, from 1. */
  readonly run: number;
  /** Which attempt at it, from 1; more than one where the machine disturbed it. */
  readonly attempt: number;
  /** As the outside world counted, from right before the migration until its memory was compared. */
  readonly packets?: WindowReport;
  /** Of the guest after it ran on at the destination. */
  readonly selfCheck: SelfCheck;
  /** The most memory each host's process ever held, beyond the guest's pages and the XBZRLE cache. */
  readonly hostOverheadBytes?: { readonly source: number; readonly destination: number };
  /** Whether as much memory as the destination needs was touched and given back right before. */
  readonly warmed: boolean;
}

/** What a scenario gave. */
export interface BenchDocument {
  readonly scenario: Scenario;
  readonly runs: readonly BenchRun[];
  /** Over the undisturbed runs. */
  readonly summary: Summary;
  /** Every page of every run was the source's; undefined where it was not looked at. */
  readonly verified?: boolean;
  /** The guest's own checks passed after every run. */
  readonly selfChecked: boolean;
  /** Repetitions that the machine disturbed at every attempt, so that nothing can be said about them. */
  readonly undecidedRepetitions: number;
  /** There was an undisturbed run, and the budget was met in each of them. */
  readonly budgetMet: boolean;
}

/** Judges the runs of a scenario. */
export function benchDocument(scenario: Scenario, runs: readonly BenchRun[], summary: Summary): BenchDocument {
  const undisturbed = runs.filter((run) => !run.disturbed);
  return {
    scenario,
    runs,
    summary,
    ...(scenario.verify && { verified: runs.every((run) => run.verified === true) }),
    selfChecked: runs.every((run) => run.selfCheck.ok),
    undecidedRepetitions: new Set(runs.map(({ run }) => run)).size - new Set(undisturbed.map(({ run }) => run)).size,
    budgetMet: undisturbed.length > 0 && undisturbed.every((run) => run.budget.met),
  };
}
