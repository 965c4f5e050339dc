import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { availableIsas, PageSet, type PageSetOptions } from '../src/index.ts';

const ways: PageSetOptions[] = [{ backend: 'typescript' }, ...availableIsas().map((isa) => ({ isa })), {}];

const pageCounts = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(31, 32, 33, 63, 64, 65, 4096));

/** A number of pages and two sets of indexes below it. */
const models = pageCounts.chain((pageCount) => {
  const pages =
    pageCount === 0
      ? fc.constant<number[]>([])
      : fc.oneof(
          fc.array(fc.nat(pageCount - 1), { maxLength: 80 }),
          fc
            .tuple(fc.nat(pageCount - 1), fc.nat(pageCount - 1))
            .map(([one, other]) =>
              Array.from({ length: Math.abs(one - other) + 1 }, (_, offset) => Math.min(one, other) + offset),
            ),
        );
  return fc.record({ pageCount: fc.constant(pageCount), left: pages, right: pages });
});

const sorted = (pages: Iterable<number>): number[] => [...new Set(pages)].sort((a, b) => a - b);

function strayBitCount(set: PageSet): number {
  let stray = 0;
  for (let bit = set.pageCount; bit < set.words.length * 32; bit++) {
    stray += ((set.words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1;
  }
  return stray;
}

describe.each(ways)('PageSet against a set of numbers, by %o', (way) => {
  it('holds what was added', () => {
    fc.assert(
      fc.property(models, ({ pageCount, left }) => {
        const set = PageSet.fromPages(pageCount, left, way);
        expect([...set.pages()]).toEqual(sorted(left));
        expect(set.count()).toBe(new Set(left).size);
        expect(set.isEmpty()).toBe(left.length === 0);
        for (let page = 0; page < pageCount; page++) expect(set.has(page)).toBe(left.includes(page));
        expect(set.words.length % 2).toBe(0);
      }),
    );
  });

  it('unites, intersects and subtracts', () => {
    fc.assert(
      fc.property(models, ({ pageCount, left, right }) => {
        const other = PageSet.fromPages(pageCount, right, way);
        const plain = { pageCount, words: other.words };
        expect([...PageSet.fromPages(pageCount, left, way).or(plain).pages()]).toEqual(sorted([...left, ...right]));
        expect([...PageSet.fromPages(pageCount, left, way).and(plain).pages()]).toEqual(
          sorted(left.filter((page) => right.includes(page))),
        );
        const rest = PageSet.fromPages(pageCount, left, way).subtract(plain);
        expect([...rest.pages()]).toEqual(sorted(left.filter((page) => !right.includes(page))));
        expect([...other.pages()]).toEqual(sorted(right));
      }),
    );
  });

  it('fetches and clears, from private and from shared words', () => {
    fc.assert(
      fc.property(models, fc.boolean(), ({ pageCount, left, right }, shared) => {
        const source = PageSet.fromPages(pageCount, right, way);
        const bytes = source.words.byteLength;
        const words = shared ? new Uint32Array(new SharedArrayBuffer(bytes)) : new Uint32Array(bytes / 4);
        words.set(source.words);
        const set = PageSet.fromPages(pageCount, left, way);
        expect(set.fetchAndClear({ pageCount, words })).toBe(new Set(right).size);
        expect([...set.pages()]).toEqual(sorted([...left, ...right]));
        expect(words.every((word) => word === 0)).toBe(true);
      }),
    );
  });

  it('lists its runs, each as long as it can be', () => {
    fc.assert(
      fc.property(models, ({ pageCount, left }) => {
        const set = PageSet.fromPages(pageCount, left, way);
        const runs = [...set.runs()];
        const pages = runs.flatMap((run) =>
          Array.from({ length: run.pageCount }, (_, offset) => run.firstPage + offset),
        );
        expect(pages).toEqual(sorted(left));
        runs.slice(1).forEach((run, index) => {
          const before = runs[index];
          expect(run.firstPage).toBeGreaterThan((before?.firstPage ?? 0) + (before?.pageCount ?? 0));
        });
        expect([...set.toRuns()]).toEqual(runs.flatMap((run) => [run.firstPage, run.pageCount]));
        expect(PageSet.fromRuns(pageCount, set.toRuns(), way).equals(set)).toBe(true);
      }),
    );
  });

  it('finds the next run from any page on', () => {
    fc.assert(
      fc.property(models, fc.double({ min: 0, max: 1, noNaN: true }), ({ pageCount, left }, share) => {
        const from = Math.floor(share * pageCount);
        const expected = sorted(left).find((page) => page >= from);
        const run = PageSet.fromPages(pageCount, left, way).nextRun(from);
        expect(run?.firstPage).toBe(expected);
        if (run === undefined) return;
        expect(left).toContain(run.firstPage + run.pageCount - 1);
        expect(left).not.toContain(run.firstPage + run.pageCount);
      }),
    );
  });

  it('adds and deletes runs and single pages, and keeps the bits beyond its pages zero', () => {
    fc.assert(
      fc.property(models, ({ pageCount, left, right }) => {
        const set = PageSet.full(pageCount, way);
        expect(set.count()).toBe(pageCount);
        expect(strayBitCount(set)).toBe(0);
        const [low, high] = [Math.min(...left, pageCount), Math.max(...left, -1)];
        if (low <= high) set.deleteRun(low, high - low + 1);
        expect([...set.pages()]).toEqual(
          Array.from({ length: pageCount }, (_, page) => page).filter((page) => page < low || page > high),
        );
        if (low <= high) set.addRun(low, high - low + 1);
        for (const page of right) set.delete(page);
        expect(set.count()).toBe(pageCount - new Set(right).size);
        expect(strayBitCount(set)).toBe(0);
      }),
    );
  });
});

describe('PageSet', () => {
  it('shares the words of the bitmap it wraps, and none with its clone', () => {
    const words = new Uint32Array(new SharedArrayBuffer(8));
    const wrapped = PageSet.of({ pageCount: 40, words });
    wrapped.add(33);
    expect([...words]).toEqual([0, 2]);
    const clone = wrapped.clone();
    clone.clear();
    expect(wrapped.has(33)).toBe(true);
    expect(clone.isEmpty()).toBe(true);
    expect(PageSet.of(wrapped)).toBe(wrapped);
  });

  it('takes shared words of another realm for shared', () => {
    const words: Uint32Array = new Uint32Array(runInNewContext('new SharedArrayBuffer(8)'));
    words[0] = 5;
    const exchange = vi.spyOn(Atomics, 'exchange');
    expect(PageSet.empty(64, { backend: 'typescript' }).fetchAndClear({ pageCount: 64, words })).toBe(2);
    expect(exchange).toHaveBeenCalled();
    exchange.mockRestore();
  });

  it('says so when its words go while its pages are listed', () => {
    const set = PageSet.fromPages(128, [1, 100]);
    const pages = set.pages();
    expect(pages.next().value).toBe(1);
    structuredClone(set.words.buffer, { transfer: [set.words.buffer as ArrayBuffer] });
    expect(() => pages.next()).toThrow(TypeError);
  });

  it('is equal to a set of the same pages only', () => {
    expect(PageSet.fromPages(64, [1]).equals(PageSet.fromPages(64, [1]))).toBe(true);
    expect(PageSet.fromPages(64, [1]).equals(PageSet.fromPages(63, [1]))).toBe(false);
    expect(PageSet.fromPages(64, [1]).equals(PageSet.fromPages(64, [2]))).toBe(false);
  });

  it('names pages above 2^31', () => {
    const set = PageSet.empty(0xffffffff).add(0xfffffffe).addRun(0x7fffffff, 2);
    expect([...set.toRuns()]).toEqual([0x7fffffff, 2, 0xfffffffe, 1]);
    expect(set.nextRun(0x80000001)).toEqual({ firstPage: 0xfffffffe, pageCount: 1 });
  });

  it.each([-1, 0.5, Number.NaN, 0x100000000])('refuses %s pages', (pageCount) => {
    expect(() => PageSet.empty(pageCount)).toThrow(RangeError);
  });

  it.each([-1, 64, 0.5, Number.NaN])('refuses page %s of 64', (page) => {
    const set = PageSet.empty(64);
    expect(() => set.add(page)).toThrow(RangeError);
    expect(() => set.delete(page)).toThrow(RangeError);
    expect(() => set.has(page)).toThrow(RangeError);
  });

  it('refuses runs outside, half runs, and bitmaps of other sizes', () => {
    const set = PageSet.empty(64);
    for (const [first, count] of [
      [0, 65],
      [64, 1],
      [-1, 2],
      [0, -1],
      [0.5, 1],
      [60, Number.NaN],
    ] as const) {
      expect(() => set.addRun(first, count)).toThrow(RangeError);
      expect(() => set.deleteRun(first, count)).toThrow(RangeError);
    }
    expect(set.addRun(64, 0).isEmpty()).toBe(true);
    expect(() => PageSet.fromRuns(64, Uint32Array.of(1))).toThrow(RangeError);
    expect(() => set.nextRun(65)).toThrow(RangeError);
    for (const other of [PageSet.empty(63), PageSet.empty(65), { pageCount: 64, words: new Uint32Array(4) }]) {
      expect(() => set.or(other)).toThrow(RangeError);
      expect(() => set.and(other)).toThrow(RangeError);
      expect(() => set.subtract(other)).toThrow(RangeError);
      expect(() => set.fetchAndClear(other)).toThrow(RangeError);
    }
    expect(() => set.fetchAndClear(set)).toThrow(RangeError);
    expect(() => PageSet.of({ pageCount: 64, words: new Uint32Array(4) })).toThrow(RangeError);
    expect(() => PageSet.of({ pageCount: 40, words: Uint32Array.of(0, 0x100) })).toThrow(RangeError);
    expect(() => PageSet.of({ pageCount: 20, words: Uint32Array.of(0, 1) })).toThrow(RangeError);
  });
});
