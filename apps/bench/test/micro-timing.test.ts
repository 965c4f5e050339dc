import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationOf, percent, rateOf, speedupOf } from '../src/micro/figure-row.ts';
import { timeInterleaved, timingOf } from '../src/micro/interleaved-timing.ts';
import { timeOperation } from '../src/micro/operation-timing.ts';
import { pairedRatio, spreadOf } from '../src/micro/spread.ts';

const never = new AbortController().signal;

describe('the spread of samples', () => {
  it('is median, p5 and p95, interpolated', () => {
    expect(spreadOf([7])).toEqual({ median: 7, p5: 7, p95: 7, samples: 1 });
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, p5: 1.1, p95: 2.9, samples: 3 });
    const hundred = Array.from({ length: 101 }, (_, index) => 100 - index);
    expect(spreadOf(hundred)).toEqual({ median: 50, p5: 5, p95: 95, samples: 101 });
    expect(() => spreadOf([])).toThrow(RangeError);
  });

  it('does not depend on the order of the samples', () => {
    const samples = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
    fc.assert(
      fc.property(samples, (values) => {
        const spread = spreadOf(values);
        expect(spreadOf(values.toReversed())).toEqual(spread);
        expect(spread.p5).toBeLessThanOrEqual(spread.median);
        expect(spread.median).toBeLessThanOrEqual(spread.p95);
      }),
    );
  });

  it('of a ratio is that of pairs taken side by side', () => {
    const slowed = pairedRatio(Float64Array.of(2, 20, 4), Float64Array.of(1, 10, 2));
    expect(slowed).toEqual({ median: 2, p5: 2, p95: 2, samples: 3 });
    expect(() => pairedRatio(Float64Array.of(1), Float64Array.of(1, 2))).toThrow(RangeError);
  });

  it('of rates, durations and speed-ups comes from nanoseconds', () => {
    const timing = { name: 'a', nanoseconds: Float64Array.of(1000, 2000, 4000) };
    expect(rateOf(timing, 8000).median).toBe(4);
    expect(durationOf(timing, 'µs', 2).median).toBe(1);
    const twice = { name: 'b', nanoseconds: Float64Array.of(2000, 4000, 8000) };
    expect(percent(speedupOf(timing, twice)).median).toBe(200);
    expect(speedupOf(timing, twice, 1, 4).median).toBe(0.5);
  });
});

describe('interleaved timing', () => {
  const plan = { rounds: 3, sampleMs: 0, signal: never };

  it('takes turns forth and back, after two unmeasured runs of each', async () => {
    const ran: string[] = [];
    const measured = ['a', 'b', 'c'].map((name) => ({ name, run: () => void ran.push(name) }));
    const timings = await timeInterleaved(measured, plan);
    expect(ran.join('')).toBe('aabbcc' + 'abc' + 'cba' + 'abc');
    expect(timings.map(({ name, nanoseconds }) => [name, nanoseconds.length])).toEqual([
      ['a', 3],
      ['b', 3],
      ['c', 3],
    ]);
    expect([...timingOf(timings, 'b').nanoseconds].every((nanoseconds) => nanoseconds > 0)).toBe(true);
    expect(() => timingOf(timings, 'd')).toThrow(RangeError);
  });

  it('prepares before each sample, which is one run then, and waits for what is asynchronous', async () => {
    const ran: string[] = [];
    await timeInterleaved(
      [
        {
          name: 'a',
          prepare: () => void ran.push('prepare'),
          async run() {
            await null;
            ran.push('run');
          },
        },
      ],
      { ...plan, sampleMs: 1000 },
    );
    expect(ran).toEqual(Array.from({ length: 4 }, () => ['prepare', 'run']).flat());
  });

  it('repeats a short run until a sample is long enough', async () => {
    let runs = 0;
    const [timing] = await timeInterleaved([{ name: 'a', run: () => void runs++ }], { ...plan, sampleMs: 0.5 });
    expect(runs).toBeGreaterThan(2 + 3);
    // Of one run, and not of the sample.
    expect(timing?.nanoseconds.length).toBe(3);
  });

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const run = (): void => controller.abort(reason);
    await expect(timeInterleaved([{ name: 'a', run }], { ...plan, signal: controller.signal })).rejects.toBe(reason);
  });
});

describe('an operation under benchmark.js', () => {
  const plan = { secondsMax: 0.01, samplesMin: 5, warmMs: 1, signal: never };

  it('is called with its closure, and has a spread in nanoseconds', async () => {
    let calls = 0;
    const spread = await timeOperation({ name: 'counting', run: () => ++calls }, plan);
    expect(calls).toBeGreaterThan(5);
    expect(spread.samples).toBeGreaterThanOrEqual(5);
    expect(spread.median).toBeGreaterThan(0);
    expect(spread.p5).toBeLessThanOrEqual(spread.p95);
  });

  it('throws what it throws', async () => {
    const failure = new Error('broken');
    const run = (): never => {
      throw failure;
    };
    await expect(timeOperation({ name: 'broken', run }, plan)).rejects.toBe(failure);
  });

  it('ends with the reason of the signal', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(timeOperation({ name: 'none', run: () => 0 }, { ...plan, signal })).rejects.toBe(reason);
  });
});
