import type { PageBitmap, PageOrder, PageRuns } from '@godwit/ports';
import { expect } from 'vitest';
import { type Fixture, type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { bitmapOf, emptyBitmap, pagesOf } from './plain-bitmap.ts';
import { SeededBytes } from './seeded-bytes.ts';

/** An order that has observed nothing yet. */
export interface PageOrderFixture extends Fixture {
  readonly order: PageOrder;
  /** Whether what is written more often, and more recently, goes later. Default true; false: `observe` changes nothing. */
  readonly learns?: boolean;
}

type Case = ContractCase<PageOrderFixture>;

/** Not a multiple of 64, so that the last word is not full. */
const PAGE_COUNT = 1000;

/** The pages in the order of their runs, which must be pairs of a page of the memory and a length of at least 1. */
function pagesInOrder(runs: PageRuns): number[] {
  expect(runs, 'page runs are a Uint32Array').toBeInstanceOf(Uint32Array);
  expect(runs.length % 2, 'page runs come in pairs').toBe(0);
  const pages: number[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    const [first = 0, count = 0] = runs.subarray(index, index + 2);
    expect(count, 'no run is empty').toBeGreaterThan(0);
    expect(first + count, 'no run leaves the memory').toBeLessThanOrEqual(PAGE_COUNT);
    for (let offset = 0; offset < count; offset++) pages.push(first + offset);
  }
  return pages;
}

function arranged({ order }: PageOrderFixture, pages: Iterable<number>): number[] {
  return pagesInOrder(order.arrange(bitmapOf(PAGE_COUNT, pages)));
}

function observe({ order }: PageOrderFixture, pages: Iterable<number>): void {
  order.observe(bitmapOf(PAGE_COUNT, pages));
}

function randomPages(random: SeededBytes, countMax: number): number[] {
  return Array.from({ length: random.below(countMax + 1) }, () => random.below(PAGE_COUNT));
}

function ascending(pages: Iterable<number>): number[] {
  return [...new Set(pages)].sort((a, b) => a - b);
}

const cases: readonly Case[] = [
  {
    name: 'names itself',
    run({ order }) {
      expect(order.name).toMatch(/^[a-z-]+$/);
    },
  },
  {
    name: 'goes by address as long as nothing was observed',
    run(fixture) {
      expect(arranged(fixture, [999, 5, 64, 6, 63, 0])).toEqual([0, 5, 6, 63, 64, 999]);
      expect([...fixture.order.arrange(bitmapOf(PAGE_COUNT, [5, 6, 7, 999]))]).toEqual([5, 3, 999, 1]);
    },
  },
  {
    name: 'arranges nothing where nothing is pending',
    run(fixture) {
      expect(arranged(fixture, [])).toEqual([]);
      observe(fixture, [1, 2]);
      expect(arranged(fixture, [])).toEqual([]);
    },
  },
  {
    name: 'arranges every pending page once, whatever was observed',
    run(fixture) {
      const random = new SeededBytes(7);
      for (let round = 0; round < 200; round++) {
        observe(fixture, randomPages(random, round % 10 === 0 ? PAGE_COUNT : 40));
        const pending = randomPages(random, round % 7 === 0 ? PAGE_COUNT : 60);
        expect(arranged(fixture, pending).sort((a, b) => a - b)).toEqual(ascending(pending));
      }
      const all = Array.from({ length: PAGE_COUNT }, (_, page) => page);
      observe(fixture, all);
      expect(arranged(fixture, all).sort((a, b) => a - b)).toEqual(all);
    },
  },
  {
    name: 'leaves the bitmaps it is given as they are',
    run({ order }) {
      const pages = [0, 31, 32, 63, 64, 999];
      const bitmaps: readonly PageBitmap[] = [bitmapOf(PAGE_COUNT, pages), bitmapOf(PAGE_COUNT, pages)];
      const [dirty = emptyBitmap(PAGE_COUNT), pending = dirty] = bitmaps;
      order.observe(dirty);
      order.arrange(pending);
      order.observe(dirty);
      order.arrange(pending);
      for (const bitmap of bitmaps) expect(pagesOf(bitmap)).toEqual(pages);
    },
  },
  {
    name: 'keeps no hold on a bitmap that is used again',
    run({ order, learns = true }) {
      const dirty = bitmapOf(PAGE_COUNT, [10]);
      order.observe(dirty);
      dirty.words.fill(0xffffffff, 2, 4);
      const pages = pagesInOrder(order.arrange(bitmapOf(PAGE_COUNT, [10, 100])));
      expect(pages).toEqual(learns ? [100, 10] : [10, 100]);
    },
  },
  {
    name: 'sends what is written again and again after what never was',
    run(fixture) {
      if (fixture.learns === false) return;
      const hot = [3, 70, 500];
      for (let round = 0; round < 20; round++) {
        observe(fixture, hot);
        expect(arranged(fixture, [...hot, 1, 4, 900]).slice(0, 3)).toEqual([1, 4, 900]);
      }
    },
  },
  {
    name: 'sends what was written once, long ago, before what is written again and again',
    run(fixture) {
      if (fixture.learns === false) return;
      observe(fixture, [5, 800]);
      for (let round = 0; round < 4; round++) observe(fixture, [2, 800, 3]);
      expect(arranged(fixture, [2, 3, 5, 800])[0]).toBe(5);
    },
  },
  {
    name: 'learns nothing where it is not meant to',
    run(fixture) {
      if (fixture.learns !== false) return;
      observe(fixture, [1, 2, 3]);
      expect(arranged(fixture, [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
    },
  },
  {
    name: 'refuses bitmaps of another memory',
    run({ order, learns = true }) {
      if (!learns) return;
      order.observe(emptyBitmap(PAGE_COUNT));
      expect(() => order.observe(emptyBitmap(PAGE_COUNT + 64))).toThrow(RangeError);
      expect(() => order.arrange(emptyBitmap(PAGE_COUNT - 64))).toThrow(RangeError);
    },
  },
  {
    name: 'refuses a bitmap whose words are gone',
    run({ order }) {
      const gone = bitmapOf(PAGE_COUNT, [1]);
      structuredClone(gone.words.buffer, { transfer: [gone.words.buffer as ArrayBuffer] });
      expect(() => order.arrange(gone)).toThrow();
    },
  },
];

/** What every `PageOrder` must do. */
export const pageOrderCases: readonly Case[] = cases;

/** Registers `pageOrderCases` over a fixture made anew for each. */
export function pageOrderSuite(name: string, make: FixtureMaker<PageOrderFixture>): void {
  registerCases(`page order ${name}`, pageOrderCases, make);
}
