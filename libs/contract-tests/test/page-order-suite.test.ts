import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { pageOrderCases, pageOrderSuite } from '../src/page-order-suite.ts';
import { pagesOf } from '../src/plain-bitmap.ts';

/** The ways in which a twin is broken; none is the sound one. */
type Flaw =
  | 'none'
  | 'has no name'
  | 'drops the hottest page'
  | 'sends the last page twice'
  | 'adds an empty run'
  | 'goes beyond the memory'
  | 'sends what is hot first'
  | 'learns nothing'
  | 'takes pending pages away'
  | 'looks at observed bitmaps later'
  | 'invents a page for nothing'
  | 'takes any bitmap'
  | 'takes a bitmap that is gone';

class Twin implements PageOrder {
  readonly name: string;
  readonly #flaw: Flaw;
  readonly #observed: PageBitmap[] = [];
  #pageCount: number | undefined;

  constructor(flaw: Flaw) {
    this.#flaw = flaw;
    this.name = flaw === 'has no name' ? '' : 'twin';
  }

  observe(dirty: PageBitmap): void {
    this.#check(dirty);
    this.#pageCount = dirty.pageCount;
    if (this.#flaw === 'learns nothing') return;
    const { pageCount, words } = dirty;
    this.#observed.push(this.#flaw === 'looks at observed bitmaps later' ? dirty : { pageCount, words: words.slice() });
  }

  arrange(pending: PageBitmap): PageRuns {
    this.#check(pending);
    const counts = new Map<number, number>();
    for (const dirty of this.#observed) {
      for (const page of pagesOf(dirty)) counts.set(page, (counts.get(page) ?? 0) + 1);
    }
    const heat = (page: number): number =>
      (counts.get(page) ?? 0) * (this.#flaw === 'sends what is hot first' ? -1 : 1);
    const pages = pagesOf(pending).sort((a, b) => heat(a) - heat(b) || a - b);
    if (this.#flaw === 'takes pending pages away') pending.words.fill(0);
    if (this.#flaw === 'drops the hottest page' && pages.length > 20) pages.pop();
    if (this.#flaw === 'sends the last page twice' && pages.length > 20) pages.push(pages.at(-1) ?? 0);
    if (this.#flaw === 'invents a page for nothing' && pages.length === 0) pages.push(0);
    const runs: number[] = [];
    for (const page of pages) {
      if ((runs.at(-2) ?? 0) + (runs.at(-1) ?? Number.NaN) === page) runs.push((runs.pop() ?? 0) + 1);
      else runs.push(page, 1);
    }
    if (this.#flaw === 'adds an empty run') runs.push(0, 0);
    if (this.#flaw === 'goes beyond the memory' && pages.includes(999)) runs.push(1000, 1);
    return Uint32Array.from(runs);
  }

  #check({ pageCount, words }: PageBitmap): void {
    if (words.length === 0 && this.#flaw !== 'takes a bitmap that is gone') throw new TypeError('gone');
    if (pageCount !== (this.#pageCount ?? pageCount) && this.#flaw !== 'takes any bitmap') {
      throw new RangeError('another memory');
    }
  }
}

pageOrderSuite('sound twin', () => ({ order: new Twin('none') }));
pageOrderSuite('twin that is not meant to learn', () => ({ order: new Twin('learns nothing'), learns: false }));

describe('the page order suite', () => {
  const caught: readonly [Flaw, string][] = [
    ['has no name', 'names itself'],
    ['drops the hottest page', 'arranges every pending page once, whatever was observed'],
    ['sends the last page twice', 'arranges every pending page once, whatever was observed'],
    ['adds an empty run', 'arranges every pending page once, whatever was observed'],
    ['goes beyond the memory', 'goes by address as long as nothing was observed'],
    ['sends what is hot first', 'sends what is written again and again after what never was'],
    ['sends what is hot first', 'sends what was written once, long ago, before what is written again and again'],
    ['learns nothing', 'sends what is written again and again after what never was'],
    ['takes pending pages away', 'leaves the bitmaps it is given as they are'],
    ['looks at observed bitmaps later', 'keeps no hold on a bitmap that is used again'],
    ['invents a page for nothing', 'arranges nothing where nothing is pending'],
    ['takes any bitmap', 'refuses bitmaps of another memory'],
    ['takes a bitmap that is gone', 'refuses a bitmap whose words are gone'],
  ];
  it.each(caught)('catches an order that %s', async (flaw, name) => {
    expect(await failingCases(pageOrderCases, () => ({ order: new Twin(flaw) }))).toContain(name);
  });

  it('catches an order that learns where it is not meant to', async () => {
    const failing = await failingCases(pageOrderCases, () => ({ order: new Twin('none'), learns: false }));
    expect(failing).toContain('learns nothing where it is not meant to');
  });
});
