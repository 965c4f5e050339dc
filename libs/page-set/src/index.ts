/**
 * The bitmap over page indexes that every part of Godwit hands around: a set of pages with its runs, and, or, subtract,
 * fetch-and-clear, count and compact bytes. All of it is O(words) at most: native where that pays, else plain TypeScript.
 *
 * @example
 * import { PageSet } from '@godwit/page-set';
 *
 * const dirty = PageSet.empty(2_097_152).addRun(512, 64).add(7);
 * for (const { firstPage, pageCount } of dirty.runs()) console.log(firstPage, pageCount); // 7 1, then 512 64
 *
 * @packageDocumentation
 */
export * from './isa.ts';
export type { PageSetOptions } from './operations-choice.ts';
export * from './page-run.ts';
export * from './page-set.ts';
export type { FromBytesOptions } from './page-set-bytes.ts';
export * from './word-bits.ts';
