import { PageSet } from '@godwit/page-set';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkPageCount, RunCursor } from '../src/index.ts';

const PAGE_COUNT = 300;
const pages = fc.array(fc.nat(PAGE_COUNT - 1), { maxLength: 120 });

describe('a run cursor', () => {
  it('hands out every page once, in order, except those to skip', () => {
    fc.assert(
      fc.property(pages, pages, fc.integer({ min: 1, max: 50 }), fc.boolean(), (wanted, unwanted, limit, skipping) => {
        const runs = PageSet.fromPages(PAGE_COUNT, wanted).toRuns();
        const skip = PageSet.fromPages(PAGE_COUNT, unwanted);
        const cursor = new RunCursor(runs);
        const taken: number[] = [];
        while (cursor.remainingPages > 0) {
          const portion = cursor.take(limit, skipping ? skip : undefined);
          let portionPages = 0;
          for (let index = 0; index < portion.length; index += 2) {
            for (let page = 0; page < (portion[index + 1] ?? 0); page++) taken.push((portion[index] ?? 0) + page);
            portionPages += portion[index + 1] ?? 0;
          }
          expect(portionPages).toBeLessThanOrEqual(limit);
          expect(portionPages > 0 || skipping).toBe(true);
        }
        const expected = PageSet.fromRuns(PAGE_COUNT, runs);
        if (skipping) expected.subtract(skip);
        expect(taken).toEqual([...expected.pages()]);
        expect(cursor.take(limit)).toHaveLength(0);
      }),
    );
  });

  it('keeps an order that is not ascending', () => {
    const cursor = new RunCursor(Uint32Array.of(50, 3, 10, 2));
    expect([...cursor.take(4)]).toEqual([50, 3, 10, 1]);
    expect(cursor.remainingPages).toBe(1);
    expect([...cursor.take(4)]).toEqual([11, 1]);
  });
});

describe('the size of a chunk', () => {
  it('follows the pace of the link within its bounds', () => {
    expect(chunkPageCount(0, undefined, 4_096)).toBe(8_192);
    expect(chunkPageCount(0, 1.25e9, 4_096)).toBe(Math.floor(1.25e8 / 4_096));
    expect(chunkPageCount(0, 1e12, 4_096)).toBe(65_536);
    expect(chunkPageCount(3, 1e12, 4_096)).toBe(16_384);
    expect(chunkPageCount(0, 1, 4_096)).toBe(256);
    expect(chunkPageCount(0, 1, 2 ** 21)).toBe(1);
  });
});
