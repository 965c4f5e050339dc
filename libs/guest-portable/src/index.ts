/**
 * A guest for machines without Linux: its memory is a `SharedArrayBuffer`, its processor a worker thread, and its programs
 * mark the pages they write. It runs, stops, is saved and goes on elsewhere wherever Node.js runs.
 *
 * @example
 * import { createPortableGuest } from '@godwit/guest-portable';
 *
 * const workload = { name: 'appmembench', workingSetBytes: 8 * 2 ** 20, pagesPerSecond: 50_000 } as const;
 * await using guest = await createPortableGuest({ memoryBytes: 64 * 2 ** 20, workload });
 * await guest.resume();
 *
 * @packageDocumentation
 */
export * from './portable-config.ts';
export * from './portable-guest.ts';
