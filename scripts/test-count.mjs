/** How many tests passed, failed and were skipped. */
export const NONE = { passed: 0, failed: 0, skipped: 0 };

/** The sum of counts. */
export function sum(counts) {
  return counts.reduce(
    (total, { passed, failed, skipped }) => ({
      passed: total.passed + passed,
      failed: total.failed + failed,
      skipped: total.skipped + skipped,
    }),
    NONE,
  );
}

/** A command that failed although each of its tests passed (it did not compile, it crashed) counts as one failure. */
export function withExitCode(count, exitCode) {
  return exitCode !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** The count of one check that either holds or doesn't. */
export function check(exitCode) {
  return withExitCode({ ...NONE, passed: exitCode === 0 ? 1 : 0 }, exitCode);
}

/** The count in a report of vitest's JSON reporter. A file that could not even be loaded is one failure. */
export function vitestCount(report) {
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The count in the output of `cargo test`, which sums up each crate in a line. */
export function cargoCount(text) {
  const summaries = text.matchAll(/^test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/gm);
  return sum(
    [...summaries]
      .map(([, ...numbers]) => numbers.map(Number))
      .map(([passed, failed, skipped]) => ({ passed, failed, skipped })),
  );
}

/** The last line of `npm test`. */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
