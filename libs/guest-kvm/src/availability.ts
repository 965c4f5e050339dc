import { addon } from './native.ts';

/** Whether KVM guests can be made in this process. */
export interface KvmAvailability {
  readonly available: boolean;
  /** What is missing, in words; empty when nothing is. */
  readonly reason: string;
}

/** Looks whether KVM guests can be made in this process: Linux, the native module, and `/dev/kvm` for reading and writing. */
export function kvmAvailability(): KvmAvailability {
  const reason = addon.unavailableBecause();
  return { available: reason === undefined, reason: reason ?? '' };
}
