import { describe, expect, it } from 'vitest';
import { brokenPromises, compareOrders, type OrderResult } from '../src/order/order-comparison.ts';
import { PageWriter, WRITE_PATTERNS } from '../src/order/page-writer.ts';

describe('the comparison of orders', () => {
  // About and above the link's rate, where re-sends matter, looked at often enough to act.
  const options = { seeds: 1, writesPerSecond: [300_000, 1_000_000], chunkMs: [3] };

  it('finds no order that loses, and that each wins under zipf', async () => {
    const results = await compareOrders(options, () => {});
    expect(results).toHaveLength(WRITE_PATTERNS.length * 2 * 3);
    expect(brokenPromises(results)).toEqual([]);
    const zipf = results.filter(({ pattern, order }) => pattern === 'zipf' && order === 'priority');
    for (const { ofAddress } of zipf) expect(ofAddress.median).toBeLessThan(0.98);
  });

  it('gives the same again', async () => {
    const once = { ...options, writesPerSecond: [300_000] };
    expect(await compareOrders(once, () => {})).toEqual(await compareOrders(once, () => {}));
  });

  it('names what loses, and what never wins', () => {
    const result = (pattern: OrderResult['pattern'], order: string, ratio: number): OrderResult => ({
      pattern,
      writesPerSecond: 1000,
      chunkMs: 10,
      order,
      resentPages: 100 * ratio,
      blackoutPages: 0,
      rounds: 3,
      totalMs: 1,
      ofAddress: { median: ratio, least: ratio, most: ratio },
    });
    const sound = [result('zipf', 'address', 1), result('zipf', 'recency', 0.9), result('sweep', 'recency', 1.01)];
    expect(brokenPromises(sound)).toEqual([]);
    expect(brokenPromises([...sound, result('sweep', 'recency', 1.3)])).toEqual([
      'sweep, 1,000 writes a second, collected every 10 ms: recency re-sends more than by address',
    ]);
    expect(brokenPromises([result('zipf', 'recency', 0.99), result('zipf', 'address', 1)])).toEqual([
      'recency never re-sends fewer under zipf',
    ]);
  });
});

describe('a simulated writer', () => {
  it.each(WRITE_PATTERNS)('stays in its working set, which it writes all of: %s', (pattern) => {
    const writer = new PageWriter(pattern, 100, 50, 1);
    const counts = new Map<number, number>();
    for (let write = 0; write < 50_000; write += 1) {
      const page = writer.next();
      counts.set(page, (counts.get(page) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, page) => 100 + page));
    const most = Math.max(...counts.values());
    if (pattern === 'sweep') expect(most).toBe(1000);
    if (pattern === 'random') expect(most).toBeLessThan(1200);
    if (pattern === 'zipf') expect(most).toBeGreaterThan(5000);
  });
});
