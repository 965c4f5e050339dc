import { pageOrderSuite } from '@godwit/contract-tests';
import { PageSet } from '@godwit/page-set';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { priorityOrder, recencyOrder } from '../src/index.ts';

const PAGE_COUNT = 200;
const pageSets = fc.array(fc.integer({ min: 0, max: PAGE_COUNT - 1 }), { maxLength: 120 });
const histories = fc.array(pageSets, { maxLength: 12 });

pageOrderSuite('recency', () => ({ order: recencyOrder() }));
pageOrderSuite('priority', () => ({ order: priorityOrder() }));
pageOrderSuite('priority of two bits, halved', () => ({ order: priorityOrder({ bits: 2, halveAfter: 6 }) }));

function pagesInOrder(runs: Uint32Array): number[] {
  const pages: number[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    for (let offset = 0; offset < (runs[index + 1] ?? 0); offset++) pages.push((runs[index] ?? 0) + offset);
  }
  return pages;
}

/** Each pending page once, by ascending key and then by address. */
function sortedBy(pending: readonly number[], key: (page: number) => number): number[] {
  return [...new Set(pending)].sort((a, b) => key(a) - key(b) || a - b);
}

describe('recency order', () => {
  it('sends what was never dirty first, then the longest clean', () => {
    const order = recencyOrder();
    order.observe(PageSet.fromPages(PAGE_COUNT, [3, 10, 11]));
    order.observe(PageSet.fromPages(PAGE_COUNT, [4, 10]));
    const runs = order.arrange(PageSet.fromPages(PAGE_COUNT, [1, 2, 3, 4, 10, 11]));
    expect([...runs]).toEqual([1, 3, 11, 1, 4, 1, 10, 1]);
  });

  it('orders every page once by when it was last seen dirty, then by address', () => {
    fc.assert(
      fc.property(histories, pageSets, (observations, pending) => {
        const order = recencyOrder();
        const lastSeen = new Map<number, number>();
        observations.forEach((pages, index) => {
          order.observe(PageSet.fromPages(PAGE_COUNT, pages));
          for (const page of pages) lastSeen.set(page, index + 1);
        });
        const expected = sortedBy(pending, (page) => lastSeen.get(page) ?? 0);
        expect(pagesInOrder(order.arrange(PageSet.fromPages(PAGE_COUNT, pending)))).toEqual(expected);
      }),
    );
  });

  it('goes on for longer than one pass of its sort tells apart', () => {
    const order = recencyOrder();
    const observations = 70_000;
    const page = PageSet.empty(128);
    for (let observation = 0; observation < observations; observation++) {
      page.clear().add((observation * 7) % 128);
      order.observe(page);
    }
    // Page p was seen at the observations that are p / 7 modulo 128, and 55 is 1 / 7.
    const lastSeen = (of: number): number => {
      const phase = (of * 55) % 128;
      return phase + 128 * Math.floor((observations - 1 - phase) / 128);
    };
    const all = Array.from({ length: 128 }, (_, index) => index);
    expect(pagesInOrder(order.arrange(PageSet.full(128)))).toEqual(sortedBy(all, lastSeen));

    const sparse = recencyOrder();
    sparse.observe(PageSet.fromPages(128, [9, 4]));
    for (let observation = 0; observation < observations; observation++) sparse.observe(page.clear().add(1));
    sparse.observe(page.clear().add(0));
    expect(pagesInOrder(sparse.arrange(PageSet.fromPages(128, [0, 1, 2, 4, 9])))).toEqual([2, 4, 9, 1, 0]);
  });
});

describe('priority order', () => {
  it('sends pages by how often they were dirty, as far as its bits count, then by address', () => {
    fc.assert(
      fc.property(histories, pageSets, fc.integer({ min: 1, max: 5 }), (observations, pending, bits) => {
        const order = priorityOrder({ bits });
        const counts = new Map<number, number>();
        for (const pages of observations) {
          order.observe(PageSet.fromPages(PAGE_COUNT, pages));
          for (const page of new Set(pages)) counts.set(page, Math.min((counts.get(page) ?? 0) + 1, 2 ** bits - 1));
        }
        const expected = sortedBy(pending, (page) => counts.get(page) ?? 0);
        expect(pagesInOrder(order.arrange(PageSet.fromPages(PAGE_COUNT, pending)))).toEqual(expected);
      }),
    );
  });

  it('halves its counts as often as it is told', () => {
    fc.assert(
      fc.property(histories, pageSets, fc.integer({ min: 1, max: 5 }), (observations, pending, halveAfter) => {
        const order = priorityOrder({ halveAfter });
        const counts = new Map<number, number>();
        observations.forEach((pages, index) => {
          if (index > 0 && index % halveAfter === 0) {
            for (const [page, count] of counts) counts.set(page, count >> 1);
          }
          order.observe(PageSet.fromPages(PAGE_COUNT, pages));
          for (const page of new Set(pages)) counts.set(page, Math.min((counts.get(page) ?? 0) + 1, 15));
        });
        const expected = sortedBy(pending, (page) => counts.get(page) ?? 0);
        expect(pagesInOrder(order.arrange(PageSet.fromPages(PAGE_COUNT, pending)))).toEqual(expected);
      }),
    );
  });

  it('lets a page that has cooled down rise again where counts halve', () => {
    const later = (order: ReturnType<typeof priorityOrder>): number | undefined => {
      for (let round = 0; round < 8; round++) order.observe(PageSet.fromPages(PAGE_COUNT, [1]));
      for (let round = 0; round < 6; round++) order.observe(PageSet.fromPages(PAGE_COUNT, [150]));
      return pagesInOrder(order.arrange(PageSet.fromPages(PAGE_COUNT, [1, 150]))).at(-1);
    };
    expect(later(priorityOrder())).toBe(1);
    expect(later(priorityOrder({ halveAfter: 4 }))).toBe(150);
  });

  it('refuses options that make no sense', () => {
    for (const bits of [0, 17, 1.5, Number.NaN]) expect(() => priorityOrder({ bits })).toThrow(RangeError);
    for (const halveAfter of [0, -1, Number.NaN]) expect(() => priorityOrder({ halveAfter })).toThrow(RangeError);
  });
});

describe('an order that learns', () => {
  const PAGES = 640;
  /** A guest that writes 64 pages between two collections, the next ones each time, in a circle. */
  const sweep = (step: number): PageSet => PageSet.empty(PAGES).addRun((step * 64) % PAGES, 64);

  it.each([recencyOrder, priorityOrder])(
    'keeps still in a sweep, which writes next what is longest clean (%o)',
    (make) => {
      const order = make();
      const pending = PageSet.empty(PAGES);
      let step = 0;
      for (let round = 0; round < 6; round++) {
        // Half of the circle is pending, and what comes next is among it.
        pending.clear();
        for (let before = 0; before < 10; before++, step++) order.observe(sweep(step));
        for (let next = 0; next < 5; next++) pending.or(sweep(step + next));
        const runs = order.arrange(pending);
        if (round > 2) expect([...runs]).toEqual([...pending.toRuns()]);
      }
    },
  );

  it.each([recencyOrder, priorityOrder])('goes by what it knows where hot pages stay hot (%o)', (make) => {
    const order = make();
    const all = PageSet.full(PAGES);
    for (let round = 0; round < 20; round++) {
      for (let step = 0; step < 4; step++)
        order.observe(
          PageSet.empty(PAGES)
            .addRun(100, 20)
            .add((round * 37 + step) % PAGES),
        );
      // The newest observation has one page more.
      const last = pagesInOrder(order.arrange(all)).slice(-21);
      expect(last.filter((page) => page >= 100 && page < 120)).toHaveLength(20);
    }
  });

  it('goes by it again when the sweep is over', () => {
    const order = recencyOrder();
    const all = PageSet.full(PAGES);
    let step = 0;
    for (let round = 0; round < 5; round++) {
      for (let before = 0; before < 5; before++, step++) order.observe(sweep(step));
      order.arrange(all);
    }
    const hot = PageSet.empty(PAGES).addRun(200, 20);
    for (let round = 0; round < 10; round++) {
      for (let times = 0; times < 4; times++) order.observe(hot);
      order.arrange(all);
    }
    order.observe(hot);
    expect(pagesInOrder(order.arrange(all)).slice(-20)).toEqual([...hot.pages()]);
  });
});

describe('orders of a huge memory', () => {
  const pageCount = 2 ** 28;

  it.each([recencyOrder, priorityOrder])('arrange pages at its very end (%o)', (make) => {
    const order = make();
    const last = pageCount - 1;
    order.observe(PageSet.fromPages(pageCount, [last, 2 ** 27 + 5]));
    const runs = order.arrange(PageSet.fromPages(pageCount, [last, last - 1, 0, 2 ** 27 + 5]));
    expect(pagesInOrder(runs)).toEqual([0, last - 1, 2 ** 27 + 5, last]);
  });
});
