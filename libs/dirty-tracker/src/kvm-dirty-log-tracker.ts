import type { Capsule } from '@godwit/ports';
import { createNative } from './native.ts';
import { NativeDirtyTracker } from './native-tracker.ts';

/**
 * Tracks the memory slots of a KVM VM with its dirty log (fetched and cleared in two steps where KVM can, by
 * `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`), and adds the device marks of the memory: what a device of this process writes is
 * in no processor's log. The VM's owner makes its slots without logging; `start` switches it on, `stop` and `close` off.
 */
export class KvmDirtyLogTracker extends NativeDirtyTracker {
  /** @throws GodwitError `ERR_GODWIT_UNSUPPORTED`, with what is missing */
  constructor(memory: Capsule<'memory'>) {
    super('kvm-dirty-log', createNative('createKvmDirtyLogTracker', memory));
  }
}
