/**
 * Moves running memory from one process to another: `listenForGuests` at the destination, `migrate` at the source. It is
 * given its guest, transport, strategy, codec, scanner and tracker, and drives them natively where they offer capsules.
 *
 * @example
 * const destination = await listenForGuests({ transport: tcp(), address: 'tcp://127.0.0.1:0', createGuest });
 * const report = await migrate({ guest, tracker, scanner, transport: tcp(), address: destination.address,
 *   strategy: preCopy(), budget: { totalMs: 2000, downtimeMs: 10 } }).report;
 *
 * @packageDocumentation
 */
export { judgeBudget } from './budget-verdict.ts';
export type { DestinationOptions } from './destination-options.ts';
export type { Arrival } from './destination-session.ts';
export { type Fence, type FenceVerdict, journalFence } from './fence.ts';
export { hostFacts } from './host-facts.ts';
export { type Destination, listenForGuests } from './listen.ts';
export { type Migration, migrate } from './migrate.ts';
export type { MigrationOptions } from './migration-options.ts';
export { monotonicClock } from './monotonic-clock.ts';
export type { Arrived, InjectedFaults, Verification } from './pump.ts';
