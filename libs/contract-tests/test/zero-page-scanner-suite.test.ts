import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import type { ZeroPageScannerFixture } from '../src/zero-page-scanner-fixture.ts';
import { zeroPageScannerCases, zeroPageScannerSuite } from '../src/zero-page-scanner-suite.ts';
import { createTwin, type Flaw } from './zero-page-scanner-twin.ts';

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
    ['takes byte arrays only', 'takes memory in every form'],
    ['remembers how long a memory was', 'takes the memory of a WebAssembly module, also after it grew'],
    ['counts repeated pages twice', 'takes runs as candidates, in any order, overlapping and repeated'],
    ['takes any run', 'refuses wrong options and leaves the result as it was'],
    ['tells the word, not the byte', 'tells where each page has its first byte that is not zero, exactly'],
    ['tells of pages it was not asked for', 'tells where each page has its first byte that is not zero, exactly'],
    ['loses a page between threads', 'finds the same on several threads'],
    ['takes any number of threads', 'refuses wrong options and leaves the result as it was'],
    ['says nothing of how it went', 'says how a scan went'],
    ['does not say why it read everything', 'says how a scan went'],
    ['takes detached memory', 'refuses memory and results that are detached'],
    ['forgets the last page when it takes its time', 'finds the same when it takes its time'],
    ['fails over no pages', 'takes its time over no pages and over one'],
    ['holds up the event loop', 'lets the event loop turn, and leaves the result empty until it is done'],
    ['fills the result as it goes', 'lets the event loop turn, and leaves the result empty until it is done'],
    ['reads the candidates late', 'copies candidates that are given to a scan that takes its time'],
    ['says nothing of how it went', 'says how a scan went that took its time'],
    ['ignores the signal', 'rejects with the reason of a signal, before and in the middle of a scan'],
    ['rejects with a reason of its own', 'rejects with the reason of a signal, before and in the middle of a scan'],
    ['leaves half a result', 'rejects with the reason of a signal, before and in the middle of a scan'],
    ['goes on over memory that is gone', 'notices that memory or result are taken away in the middle of a scan'],
    ['wants its memory to stay', 'goes on over memory that grows in the middle of a scan'],
    [
      'throws rather than rejects',
      'rejects wrong arguments of a scan that takes its time, and leaves the result as it was',
    ],
  ])('%s', async (flaw, caught) => {
    const catching = zeroPageScannerCases.filter(({ name }) => name === caught);
    const make = (): ZeroPageScannerFixture => ({ scanner: createTwin(flaw) });
    expect(await failingCases(catching, make)).toEqual([caught]);
  });
});
