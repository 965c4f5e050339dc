import { GodwitError } from '@godwit/ports';
import type { Isa } from './isa.ts';
import type { NativeAddon } from './native.ts';
import { NO_PAGE, type WordOperations } from './word-operations.ts';

/** How many words are looked at before a call into native code pays. */
const NEAR_WORD_COUNT = 128;

/**
 * The operations on the addon, with the fastest instruction set or the one asked for.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the processor lacks `isa`
 */
export function createNativeOperations(addon: NativeAddon, wantedIsa: Isa | undefined): WordOperations {
  const isas = addon.isas() as Isa[];
  const index = wantedIsa === undefined ? 0 : isas.indexOf(wantedIsa);
  const isa = isas[index];
  if (isa === undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this processor or this build has no ${wantedIsa} operations`);
  }
  return {
    backend: 'native',
    isa,
    count: (words) => addon.count(index, words),
    or: (words, others) => addon.or(index, words, others),
    and: (words, others) => addon.and(index, words, others),
    subtract: (words, others) => addon.subtract(index, words, others),
    equal: (words, others) => addon.equal(index, words, others),
    nextBit(words, from, set) {
      const flip = set ? 0 : -1;
      let at = from >>> 5;
      if (at >= words.length) return NO_PAGE;
      let word = ((words[at] ?? 0) ^ flip) & (-1 << (from & 31));
      const near = Math.min(at + NEAR_WORD_COUNT, words.length);
      while (word === 0 && ++at < near) word = (words[at] ?? 0) ^ flip;
      if (word !== 0) return at * 32 + 31 - Math.clz32(word & -word);
      return at < words.length ? addon.nextBit(index, words, at * 32, set) : NO_PAGE;
    },
    runCount: (words) => addon.runCount(index, words),
    fillRuns: (words, pageCount, runs) => addon.fillRuns(index, words, pageCount, runs),
    fetchAndClear: (words, marks, shared) => addon.fetchAndClear(index, words, marks, shared),
  };
}
