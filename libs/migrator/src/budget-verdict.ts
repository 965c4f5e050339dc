import type { Budget, MigrationReport } from '@godwit/ports';

/** Whether a migration kept its budget, and if not, which limit it missed by how much. */
export function judgeBudget(
  budget: Budget,
  seen: { readonly totalMs: number; readonly downtimeMs: number },
): MigrationReport['budget'] {
  const missed: string[] = [];
  if (seen.totalMs > budget.totalMs) missed.push(`total ${seen.totalMs.toFixed(1)} ms > ${budget.totalMs} ms`);
  if (seen.downtimeMs > budget.downtimeMs) {
    missed.push(`downtime ${seen.downtimeMs.toFixed(2)} ms > ${budget.downtimeMs} ms`);
  }
  const { totalMs, downtimeMs } = budget;
  return missed.length === 0
    ? { totalMs, downtimeMs, met: true }
    : { totalMs, downtimeMs, met: false, missedBecause: missed.join('; ') };
}
