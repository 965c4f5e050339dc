import type { PageBitmap, ZeroPageScanner } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import {
  type ZeroPageScannerFixture,
  zeroPageScannerCases,
  zeroPageScannerSuite,
} from '../src/zero-page-scanner-suite.ts';

type Flaw =
  | 'has no name'
  | 'forgets the last page'
  | 'looks at the ends of a page only'
  | 'looks at every eighth byte'
  | 'leaves old bits'
  | 'sets bits beyond its pages'
  | 'ignores the candidates'
  | 'counts wrong'
  | 'wants an aligned memory'
  | 'looks at the first MiB of a page'
  | 'takes any page size'
  | 'takes any bitmap';

/** A scanner that works, but for one flaw. */
function createTwin(flaw?: Flaw): ZeroPageScanner {
  return {
    name: flaw === 'has no name' ? '' : 'twin',
    backend: 'typescript',
    scan(given, pageSizeBytes, into, candidates) {
      const memory = flaw === 'wants an aligned memory' ? alignedDown(given) : given;
      check(flaw, memory, pageSizeBytes, into, candidates);
      const pageCount = Math.min(memory.length / pageSizeBytes, into.pageCount);
      const wanted = candidates === undefined ? undefined : Uint32Array.from(candidates.words);
      if (flaw !== 'leaves old bits') into.words.fill(0);
      let zeroPages = 0;
      for (let page = 0; page < pageCount; page++) {
        if (flaw === 'forgets the last page' && page > 0 && page === pageCount - 1) continue;
        const isWanted = wanted === undefined || (((wanted[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
        if (!isWanted && flaw !== 'ignores the candidates') continue;
        if (!isZero(flaw, memory.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes))) continue;
        into.words[page >>> 5] = (into.words[page >>> 5] ?? 0) | (1 << (page & 31));
        zeroPages++;
      }
      if (flaw === 'sets bits beyond its pages' && pageCount % 64 !== 0) {
        into.words[into.words.length - 1] = (into.words.at(-1) ?? 0) | (1 << 31);
      }
      return flaw === 'counts wrong' ? zeroPages + 1 : zeroPages;
    },
  };
}

function alignedDown(memory: Uint8Array): Uint8Array {
  return new Uint8Array(memory.buffer, memory.byteOffset & ~7, memory.byteLength);
}

function isZero(flaw: Flaw | undefined, page: Uint8Array): boolean {
  if (flaw === 'looks at the ends of a page only') return page[0] === 0 && page.at(-1) === 0;
  if (flaw === 'looks at the first MiB of a page') return isZero(undefined, page.subarray(0, 2 ** 20));
  const step = flaw === 'looks at every eighth byte' ? 8 : 1;
  for (let at = 0; at < page.length; at += step) if (page[at] !== 0) return false;
  return true;
}

function check(
  flaw: Flaw | undefined,
  memory: Uint8Array,
  pageSizeBytes: number,
  into: PageBitmap,
  candidates: PageBitmap | undefined,
): void {
  const validSize = pageSizeBytes >= 512 && pageSizeBytes <= 2 ** 30 && Number.isInteger(Math.log2(pageSizeBytes));
  if (!validSize && flaw !== 'takes any page size') throw new RangeError('page size');
  if (flaw === 'takes any bitmap') return;
  const pageCount = memory.length / pageSizeBytes;
  if (!Number.isInteger(pageCount) && validSize) throw new RangeError('memory');
  for (const bitmap of [into, ...(candidates === undefined ? [] : [candidates])]) {
    const fits = bitmap.pageCount === pageCount && bitmap.words.length === 2 * Math.ceil(pageCount / 64);
    if (!fits && validSize) throw new RangeError('bitmap');
  }
}

zeroPageScannerSuite('twin without a flaw', () => ({ scanner: createTwin() }));

describe('the zero-page scanner suite tells a scanner that', () => {
  it.each<[Flaw, string]>([
    ['has no name', 'names itself and its backend'],
    ['forgets the last page', 'finds every page of an untouched memory, of any length'],
    ['looks at the ends of a page only', 'sees a single bit wherever it is'],
    ['looks at every eighth byte', 'sees a single bit wherever it is'],
    ['leaves old bits', 'agrees with a look at every byte'],
    ['sets bits beyond its pages', 'finds every page of an untouched memory, of any length'],
    ['ignores the candidates', 'looks at the candidates only, and clears all other bits'],
    ['counts wrong', 'agrees with a look at every byte'],
    ['wants an aligned memory', 'takes memory at any address, and looks at nothing around it'],
    ['looks at the first MiB of a page', 'takes large pages'],
    ['takes any page size', 'refuses wrong arguments and leaves the result as it was'],
    ['takes any bitmap', 'refuses wrong arguments and leaves the result as it was'],
  ])('%s', async (flaw, caught) => {
    expect(
      await failingCases<ZeroPageScannerFixture>(zeroPageScannerCases, () => ({ scanner: createTwin(flaw) })),
    ).toContain(caught);
  });
});
