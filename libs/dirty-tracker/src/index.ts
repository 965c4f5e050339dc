/**
 * Tells which pages of a running memory were written since it was last asked: by PAGEMAP_SCAN, KVM's dirty log or dirty
 * rings, software marks, or comparison. Also what a migration decides by: the order in which written pages are best sent,
 * the hot and the writable working set, how fast a guest writes and where, and whether it is in a quiet phase.
 *
 * @example
 * import { createDirtyTracker } from '@godwit/dirty-tracker';
 * import { PageSet } from '@godwit/page-set';
 *
 * const tracker = createDirtyTracker(guest.memory);
 * await tracker.start();
 * const dirty = PageSet.empty(tracker.pageCount);
 * console.log(tracker.name, await tracker.collect(dirty)); // pagemap-scan 1234
 * await tracker.close();
 *
 * @packageDocumentation
 */
export * from './availability.ts';
export * from './compare-tracker.ts';
export * from './dirty-rate.ts';
export * from './kvm-dirty-log-tracker.ts';
export * from './kvm-dirty-ring-tracker.ts';
export * from './pagemap-scan-tracker.ts';
export * from './phase-detector.ts';
export * from './priority-order.ts';
export * from './recency-order.ts';
export * from './region-rates.ts';
export * from './select-tracker.ts';
export * from './software-marks-tracker.ts';
export * from './writable-working-set.ts';
