import { PageSet } from '@godwit/page-set';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DirtyRate, RegionRates } from '../src/index.ts';

const PAGE_COUNT = 1000;

describe('RegionRates', () => {
  it('are for each region what DirtyRate is for all of it', () => {
    const histories = fc.array(
      fc.record({
        elapsedMs: fc.integer({ min: 0, max: 700 }),
        pages: fc.array(fc.integer({ min: 0, max: PAGE_COUNT - 1 }), { maxLength: 80 }),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(histories, fc.constantFrom(32, 96, 320, 2048), (history, pagesPerRegion) => {
        const rates = new RegionRates(PAGE_COUNT, { pagesPerRegion, halfLifeMs: 300 });
        const models = Array.from({ length: rates.regionCount }, () => new DirtyRate(300));
        for (const { elapsedMs, pages } of history) {
          const dirty = PageSet.fromPages(PAGE_COUNT, pages);
          rates.observe(dirty, elapsedMs);
          models.forEach((model, region) => {
            const inRegion = [...dirty.pages()].filter((page) => Math.floor(page / pagesPerRegion) === region);
            model.observe(inRegion.length, elapsedMs);
          });
          models.forEach((model, region) => {
            expect(rates.pagesPerSecond(region)).toBeCloseTo(model.pagesPerSecond, 6);
          });
        }
      }),
    );
  });

  it('name the busiest regions first', () => {
    const rates = new RegionRates(PAGE_COUNT, { pagesPerRegion: 320 });
    expect(rates.busiest()).toEqual([]);
    rates.observe(PageSet.fromPages(PAGE_COUNT, [1, 700, 701, 702, 999]), 10);
    expect([rates.regionCount, rates.busiest()]).toEqual([4, [2, 0, 3]]);
    expect(rates.pagesPerSecond(1)).toBe(0);
    expect(rates.pagesPerSecond(2)).toBeCloseTo(300);
  });

  it('refuse what cannot be', () => {
    expect(() => new RegionRates(8, { pagesPerRegion: 33 })).toThrow(RangeError);
    expect(() => new RegionRates(8, { halfLifeMs: 0 })).toThrow(RangeError);
    expect(() => new RegionRates(0.5)).toThrow(RangeError);
    const rates = new RegionRates(64);
    expect(() => rates.observe(PageSet.empty(65), 1)).toThrow(RangeError);
    expect(() => rates.observe(PageSet.empty(64), -1)).toThrow(RangeError);
    expect(() => rates.pagesPerSecond(1)).toThrow(RangeError);
    expect(new RegionRates(0).regionCount).toBe(0);
  });
});
