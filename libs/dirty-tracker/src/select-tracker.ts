import { type DirtyTracker, GodwitError, type GuestMemory, isGodwitError } from '@godwit/ports';
import { CompareTracker } from './compare-tracker.ts';
import { KvmDirtyLogTracker } from './kvm-dirty-log-tracker.ts';
import { KvmDirtyRingTracker } from './kvm-dirty-ring-tracker.ts';
import { PagemapScanTracker } from './pagemap-scan-tracker.ts';
import { SoftwareMarksTracker } from './software-marks-tracker.ts';

/** How a memory can be tracked, in the order in which `createDirtyTracker` tries. */
export type TrackerName = 'kvm-dirty-ring' | 'kvm-dirty-log' | 'pagemap-scan' | 'software-marks' | 'compare';

const makers: Readonly<Record<TrackerName, (memory: GuestMemory) => DirtyTracker | string>> = {
  'kvm-dirty-ring': ({ capsule }) => (capsule ? new KvmDirtyRingTracker(capsule) : 'the memory has no native capsule'),
  'kvm-dirty-log': ({ capsule }) => (capsule ? new KvmDirtyLogTracker(capsule) : 'the memory has no native capsule'),
  'pagemap-scan': ({ capsule }) => (capsule ? new PagemapScanTracker(capsule) : 'the memory has no native capsule'),
  'software-marks': ({ softwareMarks, pageCount }) =>
    softwareMarks ? new SoftwareMarksTracker({ pageCount, words: softwareMarks }) : 'the memory has no software marks',
  compare: ({ bytes, pageSizeBytes }) =>
    bytes ? new CompareTracker(bytes, pageSizeBytes) : 'the memory is not in the reach of JavaScript',
};

const names: readonly TrackerName[] = ['kvm-dirty-ring', 'kvm-dirty-log', 'pagemap-scan', 'software-marks', 'compare'];

/**
 * The best tracker that works for a memory: KVM's dirty rings where a VM has them, its dirty log where it has none, `PAGEMAP_SCAN` where a userfaultfd
 * is, the marks of its writers, or comparison (see `CompareTracker` for what that asks of the reader). `prefer` asks for
 * one of them and takes no other.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED`, with what is missing for each
 * @throws TypeError for an unknown `prefer`
 */
export function createDirtyTracker(memory: GuestMemory, options: { readonly prefer?: TrackerName } = {}): DirtyTracker {
  const { prefer } = options;
  if (prefer !== undefined && !names.includes(prefer)) {
    throw new TypeError(`no tracker is called ${String(prefer)}; there are ${names.join(', ')}`);
  }
  const missing: string[] = [];
  const causes: unknown[] = [];
  for (const name of prefer === undefined ? names : [prefer]) {
    try {
      const made = makers[name](memory);
      if (typeof made !== 'string') return made;
      missing.push(`${name}: ${made}`);
    } catch (error) {
      if (!isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')) throw error;
      missing.push(`${name}: ${error.message}`);
      causes.push(error);
    }
  }
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this memory cannot be tracked (${missing.join('; ')})`, {
    cause: causes[0],
  });
}
