import { isGodwitError } from '@godwit/ports';
import type { BenchDocument } from './bench-document.ts';
import { UsageError } from './usage-error.ts';

/** What the command's exit status says. */
export const EXIT = {
  /** The budget was met, memory verified and the guest's self-check passed in every undisturbed run. */
  met: 0,
  notMet: 1,
  usage: 2,
  /** The machine lacks what was asked for. */
  lacking: 3,
  interrupted: 130,
} as const;

/** The verdict of finished runs. */
export function exitCodeOf(document: Pick<BenchDocument, 'budgetMet' | 'verified' | 'selfChecked'>): number {
  return document.budgetMet && document.verified !== false && document.selfChecked ? EXIT.met : EXIT.notMet;
}

/** The verdict of runs that could not be finished. */
export function exitCodeOfError(error: unknown, interrupted: boolean): number {
  if (interrupted) return EXIT.interrupted;
  if (error instanceof UsageError) return EXIT.usage;
  return isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED') ? EXIT.lacking : EXIT.notMet;
}
