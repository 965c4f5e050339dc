import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideAfterRound,
  type LinkFacts,
  measureSendCost,
  type RoundMeasurement,
  type StopLimits,
} from '../src/index.ts';

const LINK: LinkFacts = { pageSizeBytes: 4_096, linkBytesPerSecond: undefined };
const LIMITS: StopLimits = {
  budget: { totalMs: 2_000, downtimeMs: 10 },
  downtimeTargetMs: 1,
  fixedBlackoutMs: 0.5,
  roundsMax: 30,
  forceAfterMs: Number.POSITIVE_INFINITY,
};

/** A round of whole pages at 1 GB/s. */
const whole = (pages: number, dirtyPages: number): RoundMeasurement => ({
  pages,
  rawPages: pages,
  bytes: pages * 4_096,
  sendMs: (pages * 4_096) / 1_000_000,
  dirtyPages,
});

/** A round of deltas, at half a microsecond a page. */
const deltas = (pages: number, dirtyPages: number): RoundMeasurement => ({
  pages,
  rawPages: 0,
  bytes: pages * 100,
  sendMs: pages * 0.0005,
  dirtyPages,
});

const reasonAfter = (rounds: readonly RoundMeasurement[], elapsedMs: number, limits = LIMITS): string | undefined =>
  decideAfterRound(rounds, elapsedMs, LINK, limits).switchover;

describe('the stop rule', () => {
  it('goes on while the prediction is above the target and falls', () => {
    expect(reasonAfter([whole(65_536, 4_500)], 270)).toBeUndefined();
    expect(reasonAfter([whole(65_536, 4_500), whole(4_500, 4_500)], 290)).toBeUndefined();
    expect(reasonAfter([whole(65_536, 4_500), whole(4_500, 4_500), deltas(4_500, 3_000)], 293)).toBeUndefined();
  });

  it('stops at the target', () => {
    expect(
      reasonAfter([whole(65_536, 4_500), whole(4_500, 4_500), deltas(4_500, 3_000), deltas(3_000, 900)], 295),
    ).toBe('target');
  });

  it('predicts with what XBZRLE makes of the pages, not with whole pages', () => {
    const { predictedBlackoutMs } = decideAfterRound(
      [whole(9, 9), whole(9, 4_500), deltas(4_500, 3_000)],
      9,
      LINK,
      LIMITS,
    );
    expect(predictedBlackoutMs).toBeCloseTo(0.5 + 1.5);
  });

  it('stops above the target where two rounds won nothing', () => {
    const rounds = [whole(65_536, 4_500), whole(4_500, 4_500), deltas(4_500, 4_000), deltas(4_000, 3_900)];
    expect(reasonAfter(rounds, 300)).toBeUndefined();
    expect(reasonAfter([...rounds, deltas(3_900, 3_900)], 302)).toBe('settled');
  });

  it('goes on above the budget until the total is used', () => {
    const rounds = [whole(65_536, 16_384), ...Array.from({ length: 5 }, () => whole(16_384, 16_384))];
    expect(reasonAfter(rounds, 600)).toBeUndefined();
    expect(reasonAfter(rounds, 1_700)).toBeUndefined();
    expect(reasonAfter(rounds, 1_800)).toBe('total-used');
  });

  it('goes on beyond a lost total only while that helps', () => {
    expect(reasonAfter([whole(1_000_000, 30_000)], 4_100)).toBeUndefined();
    expect(reasonAfter([whole(1_000_000, 30_000), whole(30_000, 6_000), whole(6_000, 3_000)], 4_300)).toBeUndefined();
    expect(reasonAfter([whole(1_000_000, 30_000), whole(30_000, 6_000), whole(6_000, 6_000)], 4_300)).toBe(
      'total-missed',
    );
  });

  it('never stops for zero pages at an impossible pace', () => {
    const zeros = { pages: 2_000_000, rawPages: 0, bytes: 20_000, sendMs: 400, dirtyPages: 4_500 };
    const decision = decideAfterRound([zeros], 410, LINK, LIMITS);
    expect(decision.switchover).toBeUndefined();
    expect(decision.predictedBlackoutMs).toBeCloseTo(0.5 + (4_500 * 4_096) / 1_000_000);
  });

  it('knows no page faster than the link', () => {
    const burst = [whole(10, 10), { pages: 1_000, rawPages: 1_000, bytes: 4_096_000, sendMs: 0.1, dirtyPages: 9 }];
    expect(measureSendCost(burst, { ...LINK, linkBytesPerSecond: 1e9 }).msPerPage).toBeCloseTo(0.004096);
  });
});

describe('the stop rule for any history', () => {
  const measurement = fc.record({
    pages: fc.nat(3_000_000),
    rawPages: fc.nat(3_000_000),
    bytes: fc.nat(2 ** 31),
    sendMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
    dirtyPages: fc.nat(3_000_000),
  });
  const histories = fc.array(measurement, { minLength: 1, maxLength: 40 });
  const elapsed = fc.double({ min: 0, max: 10_000, noNaN: true });

  it('predicts finite times of at least the fixed cost', () => {
    fc.assert(
      fc.property(histories, elapsed, (rounds, elapsedMs) => {
        const { predictedBlackoutMs, predictedRoundMs } = decideAfterRound(rounds, elapsedMs, LINK, LIMITS);
        expect(Number.isFinite(predictedBlackoutMs)).toBe(true);
        expect(predictedBlackoutMs).toBeGreaterThanOrEqual(LIMITS.fixedBlackoutMs);
        expect(Number.isFinite(predictedRoundMs)).toBe(true);
      }),
    );
  });

  it('ends at the last round, at the forced time and when nothing is pending', () => {
    fc.assert(
      fc.property(histories, elapsed, measurement, (rounds, elapsedMs, last) => {
        expect(reasonAfter(rounds, elapsedMs, { ...LIMITS, roundsMax: rounds.length })).toBeDefined();
        expect(reasonAfter(rounds, elapsedMs, { ...LIMITS, forceAfterMs: elapsedMs })).toBeDefined();
        expect(reasonAfter([...rounds, { ...last, dirtyPages: 0 }], elapsedMs)).toBe('target');
      }),
    );
  });

  it('gives "settled" only within the downtime of the budget, and "target" only within the target', () => {
    fc.assert(
      fc.property(histories, elapsed, (rounds, elapsedMs) => {
        const { switchover, predictedBlackoutMs } = decideAfterRound(rounds, elapsedMs, LINK, LIMITS);
        if (switchover === 'settled') expect(predictedBlackoutMs).toBeLessThanOrEqual(LIMITS.budget.downtimeMs);
        if (switchover === 'target') expect(predictedBlackoutMs).toBeLessThanOrEqual(LIMITS.downtimeTargetMs);
      }),
    );
  });
});
