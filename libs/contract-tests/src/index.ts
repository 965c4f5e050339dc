/**
 * Contract suites for the ports of Godwit: bring a fixture, and the suite tells whether you implement the port. Each is
 * also offered as a list of cases, which is how it is itself proved on broken twins.
 *
 * @example
 * import { dirtyTrackerSuite } from '@godwit/contract-tests';
 *
 * dirtyTrackerSuite('mine', () => ({ tracker, write, read, dispose: () => tracker.close() }));
 *
 * @packageDocumentation
 */
export * from './case-runner.ts';
export * from './contract-case.ts';
export * from './dirty-tracker-suite.ts';
export * from './guest-suite.ts';
export * from './page-codec-suite.ts';
export * from './page-order-suite.ts';
export * from './plain-bitmap.ts';
export * from './seeded-bytes.ts';
export * from './simulated-context.ts';
export * from './simulated-memory.ts';
export * from './strategy-suite.ts';
export * from './transport-suite.ts';
export * from './virtual-clock.ts';
export * from './zero-page-scanner-fixture.ts';
export * from './zero-page-scanner-suite.ts';
