import { describe, expect, it } from 'vitest';
import { cargoCount, check, countLine, NONE, sum, vitestCount, withExitCode } from '../scripts/test-count.mjs';

describe('the count at the end of a test run', () => {
  it('adds up the crates of cargo test', () => {
    const text = `
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`;
    expect(cargoCount(text)).toEqual({ passed: 4, failed: 2, skipped: 1 });
    expect(cargoCount('error: could not compile')).toEqual(NONE);
  });

  it('counts a test file that did not load as a failure', () => {
    const report = {
      numPassedTests: 5,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 1,
      testResults: [
        { status: 'passed', assertionResults: [{ status: 'passed' }] },
        { status: 'failed', assertionResults: [{ status: 'failed' }] },
        { status: 'failed', assertionResults: [] },
      ],
    };
    expect(vitestCount(report)).toEqual({ passed: 5, failed: 2, skipped: 3 });
  });

  it('never calls a failed command passed', () => {
    expect(withExitCode({ passed: 9, failed: 0, skipped: 0 }, 1).failed).toBe(1);
    expect(withExitCode({ passed: 9, failed: 4, skipped: 0 }, 1).failed).toBe(4);
    expect(check(0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
    expect(check(2)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('is one plain line', () => {
    expect(countLine(sum([check(0), check(1), { ...NONE, skipped: 2 }]))).toBe('1 passed, 1 failed, 2 skipped');
  });
});
