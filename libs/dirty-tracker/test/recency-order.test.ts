import { PageSet } from '@godwit/page-set';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recencyOrder } from '../src/index.ts';

const PAGE_COUNT = 200;
const pageSets = fc.array(fc.integer({ min: 0, max: PAGE_COUNT - 1 }), { maxLength: 120 });

function pagesInOrder(runs: Uint32Array): number[] {
  const pages: number[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    for (let offset = 0; offset < (runs[index + 1] ?? 0); offset++) pages.push((runs[index] ?? 0) + offset);
  }
  return pages;
}

describe('recency order', () => {
  it('sends what was never dirty first, then the longest clean', () => {
    const order = recencyOrder();
    order.observe(PageSet.fromPages(PAGE_COUNT, [3, 10, 11]));
    order.observe(PageSet.fromPages(PAGE_COUNT, [4, 10]));
    const runs = order.arrange(PageSet.fromPages(PAGE_COUNT, [1, 2, 3, 4, 10, 11]));
    expect([...runs]).toEqual([1, 3, 11, 1, 4, 1, 10, 1]);
  });

  it('goes by address as long as nothing was seen', () => {
    expect([...recencyOrder().arrange(PageSet.fromPages(PAGE_COUNT, [5, 6, 199]))]).toEqual([5, 2, 199, 1]);
  });

  it('orders every page once by when it was last seen dirty, then by address', () => {
    fc.assert(
      fc.property(fc.array(pageSets, { maxLength: 12 }), pageSets, (observations, pending) => {
        const order = recencyOrder();
        const lastSeen = new Map<number, number>();
        observations.forEach((pages, index) => {
          order.observe(PageSet.fromPages(PAGE_COUNT, pages));
          for (const page of pages) lastSeen.set(page, index + 1);
        });
        const seen = (page: number): number => lastSeen.get(page) ?? 0;
        const expected = [...new Set(pending)].sort((a, b) => seen(a) - seen(b) || a - b);
        expect(pagesInOrder(order.arrange(PageSet.fromPages(PAGE_COUNT, pending)))).toEqual(expected);
      }),
    );
  });

  it('refuses bitmaps of another memory', () => {
    const order = recencyOrder();
    order.observe(PageSet.empty(PAGE_COUNT));
    expect(() => order.observe(PageSet.empty(PAGE_COUNT + 1))).toThrow(RangeError);
    expect(() => order.arrange(PageSet.empty(PAGE_COUNT - 1))).toThrow(RangeError);
  });
});
