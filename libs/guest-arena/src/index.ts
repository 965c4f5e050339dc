/**
 * A guest made of a memory arena in this process with native threads as its processors: for machines without `/dev/kvm`.
 * It runs the same programs as the KVM guest, with the same network card; `arenaAvailability()` says what is missing.
 *
 * @example
 * import { createArenaGuest } from '@godwit/guest-arena';
 *
 * await using guest = await createArenaGuest({ workload: { name: 'idle' }, residentBytes: 20 * 1024 ** 2 });
 * await guest.resume();
 * await guest.pause();
 * console.log(await guest.selfCheck());
 *
 * @packageDocumentation
 */
export { DEFAULT_MACS, type GuestCounters } from '@godwit/guest-host';
export * from './arena-guest.ts';
export * from './availability.ts';
