import type { Backend } from '@godwit/ports';
import type { Isa } from './isa.ts';

/** Says that there is no such page: above every index, as a set has fewer than 2^32 pages. */
export const NO_PAGE = 0xffffffff;

/**
 * What is done to all words of a bitmap: in TypeScript, or natively with one of the processor's instruction sets. Two
 * bitmaps are equally long; whoever calls has checked it.
 */
export interface WordOperations {
  readonly backend: Backend;
  /** Undefined in TypeScript. */
  readonly isa: Isa | undefined;
  count(words: Uint32Array): number;
  or(words: Uint32Array, others: Uint32Array): void;
  and(words: Uint32Array, others: Uint32Array): void;
  subtract(words: Uint32Array, others: Uint32Array): void;
  equal(words: Uint32Array, others: Uint32Array): boolean;
  /** The first bit at or after `from` that is set (or clear); `NO_PAGE` where there is none. */
  nextBit(words: Uint32Array, from: number, set: boolean): number;
  runCount(words: Uint32Array): number;
  /** Writes the runs below `pageCount` as pairs, as many as fit, and returns how many numbers it wrote. */
  fillRuns(words: Uint32Array, pageCount: number, runs: Uint32Array): number;
  /** Moves the bits of `marks` into `words`, by atomic exchange where `shared`; returns how many `marks` held. */
  fetchAndClear(words: Uint32Array, marks: Uint32Array, shared: boolean): number;
}
