import { type CompleteHostOptions, completeHostOptions, type GuestHostOptions } from '@godwit/guest-host';

/** What will record a guest's writes. */
export type KvmTracking = 'kvm-dirty-log' | 'kvm-dirty-ring' | 'pagemap-scan';

/** What concerns only the host a guest is made on, and does not travel with it. */
export interface KvmHostOptions extends GuestHostOptions {
  /**
   * What will record the guest's writes: KVM's dirty log (the default); a dirty ring for each processor, which has to be
   * there before the processors are and takes the log's place; or page tables scanned under a userfaultfd that is
   * registered here, before the guest exists, and sees the card's writes too.
   */
  readonly tracking?: KvmTracking;
  /**
   * Written pages that each ring takes before its processor must stop to have it emptied: a power of two from 1,024 (the
   * kernel keeps a few hundred for itself) to 65,536. Default 16,384, in 256 KiB.
   */
  readonly dirtyRingPages?: number;
}

/** Host options with nothing left open. */
export interface CompleteKvmHostOptions extends CompleteHostOptions {
  readonly tracking: KvmTracking;
  /** Of each ring; 0 where there is none. */
  readonly dirtyRingBytes: number;
}

const TRACKINGS: readonly unknown[] = ['kvm-dirty-log', 'kvm-dirty-ring', 'pagemap-scan'] satisfies KvmTracking[];
const RING_ENTRY_BYTES = 16;

/**
 * Checks and completes host options.
 * @throws TypeError
 * @throws RangeError
 */
export function completeKvmHostOptions(options: KvmHostOptions): CompleteKvmHostOptions {
  const { tracking = 'kvm-dirty-log', dirtyRingPages = 16_384 } = options;
  if (!TRACKINGS.includes(tracking)) throw new TypeError(`tracking must be one of ${TRACKINGS.join(', ')}`);
  if (!(Number.isInteger(Math.log2(dirtyRingPages)) && dirtyRingPages >= 1024 && dirtyRingPages <= 65_536)) {
    throw new RangeError('dirtyRingPages must be a power of two between 1,024 and 65,536');
  }
  const dirtyRingBytes = tracking === 'kvm-dirty-ring' ? dirtyRingPages * RING_ENTRY_BYTES : 0;
  return { ...completeHostOptions(options), tracking, dirtyRingBytes };
}
