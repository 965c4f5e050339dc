import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quantilesOf, summarise } from '../src/summary.ts';
import { benchRun } from './bench-run.ts';

describe('the summary', () => {
  it('interpolates between the nearest runs', () => {
    expect(quantilesOf([4, 1, 3, 2])).toEqual({
      p50: 2.5,
      p95: expect.closeTo(3.85),
      p99: expect.closeTo(3.97),
      max: 4,
    });
    expect(quantilesOf([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
    expect(() => quantilesOf([])).toThrow(RangeError);
  });

  it('keeps quantiles in order and within the values', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 }), (values) => {
        const { p50, p95, p99, max } = quantilesOf(values);
        expect(Math.min(...values)).toBeLessThanOrEqual(p50);
        expect(p50).toBeLessThanOrEqual(p95);
        expect(p95).toBeLessThanOrEqual(p99);
        expect(p99).toBeLessThanOrEqual(max);
        expect(max).toBe(Math.max(...values));
      }),
    );
  });

  it('leaves out disturbed runs and figures that nobody has', () => {
    const summary = summarise([benchRun({ totalMs: 10 }), benchRun({ totalMs: 900, disturbed: true })]);
    expect(summary.totalMs).toEqual({ p50: 10, p95: 10, p99: 10, max: 10 });
    expect(summary).not.toHaveProperty('packetsLost');
    expect(summarise([])).toEqual({});
  });
});
