import { lowestSetBit, setBitCount } from './word-bits.ts';
import { NO_PAGE, type WordOperations } from './word-operations.ts';

/** For machines without the native build, and for sets so small that a call into native code does not pay. */
export const typescriptOperations: WordOperations = {
  backend: 'typescript',
  isa: undefined,

  count(words) {
    let bits = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) bits += setBitCount(word);
    }
    return bits;
  },

  or(words, others) {
    for (let index = 0; index < words.length; index++) {
      const added = others[index] ?? 0;
      if (added !== 0) words[index] = (words[index] ?? 0) | added;
    }
  },

  and(words, others) {
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) words[index] = word & (others[index] ?? 0);
    }
  },

  subtract(words, others) {
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) words[index] = word & ~(others[index] ?? 0);
    }
  },

  equal(words, others) {
    for (let index = 0; index < words.length; index++) if (words[index] !== others[index]) return false;
    return true;
  },

  nextBit(words, from, set) {
    const flip = set ? 0 : -1;
    let index = from >>> 5;
    if (index >= words.length) return NO_PAGE;
    let word = ((words[index] ?? 0) ^ flip) & (-1 << (from & 31));
    while (word === 0) {
      if (++index >= words.length) return NO_PAGE;
      word = (words[index] ?? 0) ^ flip;
    }
    return index * 32 + lowestSetBit(word);
  },

  runCount(words) {
    // A run begins at every set bit whose lower neighbour is clear.
    let runs = 0;
    let carried = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] ?? 0;
      if (word !== 0) runs += setBitCount(word & ~((word << 1) | carried));
      carried = word >>> 31;
    }
    return runs;
  },

  fillRuns(words, pageCount, runs) {
    let written = 0;
    let firstPage = this.nextBit(words, 0, true);
    while (firstPage < pageCount && written + 2 <= runs.length) {
      const end = Math.min(this.nextBit(words, firstPage, false), pageCount);
      runs[written++] = firstPage;
      runs[written++] = end - firstPage;
      firstPage = this.nextBit(words, end, true);
    }
    return written;
  },

  fetchAndClear(words, marks, shared) {
    let fetched = 0;
    for (let index = 0; index < words.length; index++) {
      if (marks[index] === 0) continue;
      const mark = shared ? Atomics.exchange(marks, index, 0) : (marks[index] ?? 0);
      if (!shared) marks[index] = 0;
      words[index] = (words[index] ?? 0) | mark;
      fetched += setBitCount(mark);
    }
    return fetched;
  },
};
