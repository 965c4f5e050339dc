/**
 * Migration strategies: they decide which pages are sent when, and when the guest changes hosts. A strategy awaits only
 * what its context offers, so the same file drives a real guest and, on a virtual clock, a simulated one.
 *
 * @example
 * import { preCopy } from '@godwit/strategies';
 *
 * for await (const event of preCopy({ maxRounds: 20 }).run(context)) {
 *   if (event.type === 'round') console.log(event.round); // { round: 0, pages: 65536, bytes: ..., ms: ..., dirtyPages: 4210 }
 * }
 *
 * @packageDocumentation
 */
export * from './address-order.ts';
export * from './chunk-size.ts';
export * from './pre-copy.ts';
export * from './run-cursor.ts';
export * from './send-cost.ts';
export * from './stop-and-copy.ts';
export * from './stop-rule.ts';
