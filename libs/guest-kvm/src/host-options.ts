import { type CompleteHostOptions, completeHostOptions, type GuestHostOptions } from '@godwit/guest-host';

/** What will record a guest's writes. */
export type KvmTracking = 'kvm-dirty-log' | 'pagemap-scan';

/** What concerns only the host a guest is made on, and does not travel with it. */
export interface KvmHostOptions extends GuestHostOptions {
  /**
   * What will record the guest's writes: KVM's dirty log (the default), or page tables scanned under a userfaultfd
   * that is registered here, before the guest exists, and sees the card's writes too.
   */
  readonly tracking?: KvmTracking;
}

/** Host options with nothing left open. */
export interface CompleteKvmHostOptions extends CompleteHostOptions {
  readonly tracking: KvmTracking;
}

/**
 * Checks and completes host options.
 * @throws TypeError
 * @throws RangeError
 */
export function completeKvmHostOptions(options: KvmHostOptions): CompleteKvmHostOptions {
  const { tracking = 'kvm-dirty-log' } = options;
  if (tracking !== 'kvm-dirty-log' && tracking !== 'pagemap-scan') {
    throw new TypeError('tracking must be kvm-dirty-log or pagemap-scan');
  }
  return { ...completeHostOptions(options), tracking };
}
