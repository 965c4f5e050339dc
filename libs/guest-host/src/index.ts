/**
 * What the native guests of Godwit have in common: their configuration, what their programs count, and the guest port
 * over an addon's guest. Installed by the packages of the guests; there is nothing in it to run by itself.
 *
 * @example
 * import { completeGuestConfig } from '@godwit/guest-host';
 *
 * console.log(completeGuestConfig({ workload: { name: 'l2fwd' } }).memoryBytes); // 8589934592
 *
 * @packageDocumentation
 */
export * from './addon.ts';
export * from './guest-config.ts';
export * from './guest-counters.ts';
export * from './host-options.ts';
export * from './hosted-guest.ts';
export * from './hosted-memory.ts';
export * from './native-guest.ts';
