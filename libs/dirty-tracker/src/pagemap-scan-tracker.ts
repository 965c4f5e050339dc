import type { Capsule } from '@godwit/ports';
import { createNative } from './native.ts';
import { NativeDirtyTracker } from './native-tracker.ts';

/**
 * Tracks a mapping of this process with `PAGEMAP_SCAN` over asynchronous write protection (Linux 6.7): it sees threads,
 * system calls and the processors of a VM alike. The mapping's owner registered it with a userfaultfd
 * (`UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED`). The first write to a page after a collection costs the writer
 * a page fault. Giving memory back (`MADV_DONTNEED`) is not a write.
 */
export class PagemapScanTracker extends NativeDirtyTracker {
  /** @throws GodwitError `ERR_GODWIT_UNSUPPORTED`, with what is missing */
  constructor(memory: Capsule<'memory'>) {
    super('pagemap-scan', createNative('createPagemapScanTracker', memory));
  }
}
