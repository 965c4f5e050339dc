/**
 * The ports of Godwit: the types that guests, transports, codecs, trackers and strategies meet at, the table of error
 * codes, `guestOver`, which makes a guest of the least that must be said, and (in `include/`) the C header of the native
 * capsules. It depends on nothing.
 *
 * @example
 * import { GodwitError, isGodwitError, type Guest } from '@godwit/ports';
 *
 * @packageDocumentation
 */
export * from './budget.ts';
export * from './capsule.ts';
export * from './clock.ts';
export * from './codec.ts';
export * from './dirty-tracker.ts';
export * from './error.ts';
export * from './error-codes.ts';
export * from './events.ts';
export * from './guest.ts';
export type { GuestBytes } from './guest-bytes.ts';
export * from './guest-over.ts';
export * from './page-bitmap.ts';
export * from './page-order.ts';
export * from './report.ts';
export * from './scanner.ts';
export * from './strategy.ts';
export * from './transport.ts';
