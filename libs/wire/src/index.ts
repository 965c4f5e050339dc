/**
 * The outside world of a guest, in a process of its own: a packet generator, a learning switch with a cable to every host,
 * and the truth about downtime, loss, duplication and order. It needs Linux; hosts open a cable by its path.
 *
 * @example
 * import { createMirror, spawnWire } from '@godwit/wire';
 *
 * const guestMacs = ['02:00:00:00:01:00', '02:00:00:00:01:01'] as const;
 * await using wire = await spawnWire({ hostCount: 2, guestMacs, framesPerSecond: 100_000 });
 *
 * @packageDocumentation
 */
export * from './mirror.ts';
export { nativeIsLoaded } from './native.ts';
export type { FlowReport, OwnFaults, WindowReport, WireLocation, WireTotals } from './window-report.ts';
export type { WireOptions } from './wire-options.ts';
export { spawnWire, type WireProcess } from './wire-process.ts';
