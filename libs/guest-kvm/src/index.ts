/**
 * A KVM microVM with memory above 4 GiB, virtual processors, a network card and guest programs that check themselves,
 * behind the guest port of Godwit. Needs Linux on x86-64 and `/dev/kvm`; `kvmAvailability()` says what is missing.
 *
 * @example
 * import { createKvmGuest } from '@godwit/guest-kvm';
 *
 * await using guest = await createKvmGuest({ workload: { name: 'idle' }, residentBytes: 20 * 1024 ** 2 });
 * await guest.resume();
 * await guest.pause();
 * console.log(await guest.selfCheck());
 *
 * @packageDocumentation
 */
export { DEFAULT_MACS, type GuestCounters } from '@godwit/guest-host';
export * from './availability.ts';
export * from './host-options.ts';
export * from './kvm-guest.ts';
