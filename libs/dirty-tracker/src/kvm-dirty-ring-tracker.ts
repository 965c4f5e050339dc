import type { Capsule } from '@godwit/ports';
import { createNative } from './native.ts';
import { NativeDirtyTracker } from './native-tracker.ts';

/**
 * Tracks a KVM VM with the dirty rings of its processors, and adds the device marks of the memory: what a device of this
 * process writes is in no ring. A collection costs what was written, not what there is. The VM's owner enables the rings
 * before it makes the processors (`KVM_CAP_DIRTY_LOG_RING_ACQ_REL`, Linux 5.11) and has them emptied when a processor stops
 * for a full one; such a VM has no dirty log. Logging is switched on by `start`, off by `stop` and `close`.
 */
export class KvmDirtyRingTracker extends NativeDirtyTracker {
  /** @throws GodwitError `ERR_GODWIT_UNSUPPORTED`, with what is missing */
  constructor(memory: Capsule<'memory'>) {
    super('kvm-dirty-ring', createNative('createKvmDirtyRingTracker', memory));
  }
}
