/**
 * Tells which pages of a running memory were written since it was last asked: by PAGEMAP_SCAN, by the KVM dirty log, by
 * software marks, or by comparison. Also the order in which written pages are best sent, and how fast a guest writes.
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
export * from './compare-tracker.ts';
export * from './dirty-rate.ts';
export * from './kvm-dirty-log-tracker.ts';
export * from './pagemap-scan-tracker.ts';
export * from './recency-order.ts';
export * from './select-tracker.ts';
export * from './software-marks-tracker.ts';
