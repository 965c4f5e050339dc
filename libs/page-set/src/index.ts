/**
 * The bitmap over page indexes that every part of Godwit hands around: a set of pages with its runs, and, or, subtract,
 * fetch-and-clear and count. All of it is O(words) at most and skips empty words fast.
 *
 * @example
 * import { PageSet } from '@godwit/page-set';
 *
 * const dirty = PageSet.empty(2_097_152).addRun(512, 64).add(7);
 * for (const { firstPage, pageCount } of dirty.runs()) console.log(firstPage, pageCount); // 7 1, then 512 64
 *
 * @packageDocumentation
 */
export * from './page-run.ts';
export * from './page-set.ts';
export * from './word-bits.ts';
