import { PageSet } from '@godwit/page-set';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritableWorkingSet } from '../src/index.ts';

const PAGE_COUNT = 130;
const WINDOW_MS = 100;

const histories = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 60 }),
    pages: fc.array(fc.integer({ min: 0, max: PAGE_COUNT - 1 }), { maxLength: 40 }),
  }),
  { maxLength: 25 },
);

/** What it should be, by looking at all there was. */
class Model {
  readonly #observations: { readonly atMs: number; readonly pages: ReadonlySet<number> }[] = [];

  observe(pages: readonly number[], atMs: number): void {
    this.#observations.push({ atMs, pages: new Set(pages) });
  }

  pages(nowMs: number): number[] {
    return [...new Set(this.#window(nowMs).flatMap(({ pages }) => [...pages]))].sort((a, b) => a - b);
  }

  hottest(nowMs: number, count: number): number[] {
    const window = this.#window(nowMs);
    const times = (page: number): number => window.filter(({ pages }) => pages.has(page)).length;
    const newest = (page: number): number => window.findLastIndex(({ pages }) => pages.has(page));
    return this.pages(nowMs)
      .sort((a, b) => times(b) - times(a) || newest(b) - newest(a) || a - b)
      .slice(0, count);
  }

  #window(nowMs: number): readonly { readonly pages: ReadonlySet<number> }[] {
    return this.#observations.filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
  }
}

function pagesInOrder(runs: Uint32Array): number[] {
  const pages: number[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    for (let offset = 0; offset < (runs[index + 1] ?? 0); offset++) pages.push((runs[index] ?? 0) + offset);
  }
  return pages;
}

describe('WritableWorkingSet', () => {
  it('is what was written in its window, and its hot set the hottest part of that', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 0, max: 60 }), (history, hotPages) => {
        const set = new WritableWorkingSet(PAGE_COUNT, WINDOW_MS);
        const model = new Model();
        let nowMs = 0;
        for (const { afterMs, pages } of history) {
          nowMs += afterMs;
          set.observe(PageSet.fromPages(PAGE_COUNT, pages), nowMs);
          model.observe(pages, nowMs);
          expect(set.size).toBe(model.pages(nowMs).length);
          expect([...set.pages().pages()]).toEqual(model.pages(nowMs));
          // Twice: a look changes nothing.
          for (let look = 0; look < 2; look++) {
            expect(pagesInOrder(set.hottest(hotPages))).toEqual(model.hottest(nowMs, hotPages));
          }
        }
      }),
    );
  });

  it('is empty at first, and when nothing was written for long enough', () => {
    const set = new WritableWorkingSet(PAGE_COUNT, WINDOW_MS);
    expect([set.size, set.hottest(10).length]).toEqual([0, 0]);
    set.observe(PageSet.full(PAGE_COUNT), 5);
    expect(set.size).toBe(PAGE_COUNT);
    set.observe(PageSet.empty(PAGE_COUNT), 104);
    expect(set.size).toBe(PAGE_COUNT);
    set.observe(PageSet.empty(PAGE_COUNT), 105);
    expect([set.size, set.pages().count()]).toEqual([0, 0]);
  });

  it('holds a memory of a tebibyte', () => {
    const set = new WritableWorkingSet(2 ** 28, WINDOW_MS);
    set.observe(PageSet.fromPages(2 ** 28, [2 ** 28 - 1, 7]), 1);
    set.observe(PageSet.fromPages(2 ** 28, [2 ** 28 - 1]), 2);
    expect([...set.hottest(1)]).toEqual([2 ** 28 - 1, 1]);
  });

  it('refuses what cannot be', () => {
    expect(() => new WritableWorkingSet(8, 0)).toThrow(RangeError);
    expect(() => new WritableWorkingSet(-1)).toThrow(RangeError);
    const set = new WritableWorkingSet(64, WINDOW_MS);
    set.observe(PageSet.empty(64), 10);
    expect(() => set.observe(PageSet.empty(64), 9)).toThrow(RangeError);
    expect(() => set.observe(PageSet.empty(64), Number.NaN)).toThrow(RangeError);
    expect(() => set.observe(PageSet.empty(65), 11)).toThrow(RangeError);
    expect(() => set.hottest(-1)).toThrow(RangeError);
    expect(() => set.hottest(0.5)).toThrow(RangeError);
  });
});
