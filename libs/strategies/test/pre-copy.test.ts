import type { MigrationEvent, PageOrder, RoundReport, SwitchoverResult } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOrder, preCopy } from '../src/index.ts';
import { eventsOf, type SimulatedGuest, type SimulatedLink, SimulatedMigration } from './simulated-migration.ts';

const BUDGET = { totalMs: 2_000, downtimeMs: 10 };
const TEN_GIGABIT: SimulatedLink = { bytesPerMs: 1_250_000, turnMs: 0.4, encoding: true };

const idle: SimulatedGuest = {
  pageCount: 2_097_152,
  present: [[0, 5_000]],
  writesPerMs: 1,
  pageOfWrite: (write) => write % 3,
  deltaBytes: 40,
};

/** 256 MiB resident; the rings and a pool of 4,500 pages are hot, a frame changes little. */
const forwarder: SimulatedGuest = {
  pageCount: 2_097_152,
  present: [[1_024, 65_536]],
  writesPerMs: 400,
  pageOfWrite: (write) => 1_024 + ((write * 7) % 4_500),
  deltaBytes: 120,
};

/** 64 MiB written whole again and again, faster than the link. */
const diabolical: SimulatedGuest = {
  pageCount: 262_144,
  present: [[0, 65_536]],
  writesPerMs: 8_000,
  pageOfWrite: (write) => 16_384 + (write % 16_384),
  deltaBytes: 4_200,
};

const roundsOf = (events: readonly MigrationEvent[]): RoundReport[] =>
  events.flatMap((event) => (event.type === 'round' ? [event.round] : []));

function resultOf(events: readonly MigrationEvent[]): SwitchoverResult {
  const last = events.at(-1);
  if (last?.type !== 'switchover') throw new Error('the last event is not the switchover');
  return last.result;
}

describe('pre-copy of an idle guest', () => {
  it('takes one round, and sends no page that was never touched', async () => {
    const context = new SimulatedMigration(idle, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy(), context);
    expect(roundsOf(events)).toHaveLength(1);
    expect(roundsOf(events)[0]).toMatchObject({ round: 0, pages: 5_000, dirtyPages: 3 });
    expect(context.sends.flatMap(({ pages }) => pages).every((page) => page < 5_000)).toBe(true);
    expect(resultOf(events).blackoutMs).toBeLessThan(1.1);
    expect(context.stalePages()).toEqual([]);
  });

  it('tracks before it walks, and sends round 0 whole and by address', async () => {
    const context = new SimulatedMigration(idle, TEN_GIGABIT, BUDGET);
    await eventsOf(preCopy(), context);
    expect(context.calls).toEqual(['trackWrites', 'presentPages', 'send', 'collectDirty', 'switchover']);
    expect(context.sends[0]?.encode).toBe(false);
    expect(context.sends[0]?.pages).toEqual(Array.from({ length: 5_000 }, (_, page) => page));
  });

  it('moves a guest without any memory', async () => {
    const context = new SimulatedMigration({ ...idle, present: [], writesPerMs: 0 }, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy(), context);
    expect(roundsOf(events)).toEqual([expect.objectContaining({ round: 0, pages: 0, bytes: 0, dirtyPages: 0 })]);
    expect(context.calls).not.toContain('send');
  });

  it('switches over even where the budget is below any switchover', async () => {
    const context = new SimulatedMigration(idle, TEN_GIGABIT, { totalMs: 2_000, downtimeMs: 0.01 });
    const events = await eventsOf(preCopy(), context);
    expect(context.elapsedMs).toBeLessThan(100);
    expect(roundsOf(events).length).toBeLessThan(3);
  });
});

describe('pre-copy of a forwarder', () => {
  it('converges well below the budget, with a small last set', async () => {
    const context = new SimulatedMigration(forwarder, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy(), context);
    expect(resultOf(events).blackoutMs).toBeLessThan(2.5);
    expect(context.elapsedMs).toBeLessThan(280);
    expect(context.pendingAtSwitchover?.count()).toBeLessThan(1_500);
    expect(context.stalePages()).toEqual([]);
  });

  it('leaves more to the next round the more often it looks', async () => {
    const resends = async (chunkMs: number): Promise<number> => {
      const context = new SimulatedMigration(diabolical, { ...TEN_GIGABIT, encoding: false }, BUDGET);
      await eventsOf(preCopy({ chunkMs, maxRounds: 10 }), context);
      expect(context.stalePages()).toEqual([]);
      return context.sends.slice(1).reduce((sum, { pages }) => sum + pages.length, 0);
    };
    expect(await resends(2)).toBeLessThan((await resends(100)) / 2);
  });

  it('sends deltas from round 1 on, each in the order it was given', async () => {
    const observed: number[] = [];
    const descending: PageOrder = {
      name: 'descending',
      observe: (dirty) => observed.push(dirty.pageCount),
      arrange: (pending) => {
        const runs = addressOrder().arrange(pending);
        const pages: number[] = [];
        for (let index = runs.length - 2; index >= 0; index -= 2) {
          for (let page = (runs[index + 1] ?? 0) - 1; page >= 0; page--) pages.push((runs[index] ?? 0) + page, 1);
        }
        return Uint32Array.from(pages);
      },
    };
    const context = new SimulatedMigration(forwarder, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy({ order: descending }), context);
    const resends = context.sends.slice(0, -1).filter(({ encode }) => encode);
    expect(resends.length).toBeGreaterThanOrEqual(2);
    for (const { pages } of resends) expect(pages).toEqual([...pages].sort((a, b) => b - a));
    expect(observed).toHaveLength(roundsOf(events).length);
    expect(context.stalePages()).toEqual([]);
  });

  it('does not encode where the context does not', async () => {
    const context = new SimulatedMigration(forwarder, { ...TEN_GIGABIT, encoding: false }, BUDGET);
    await eventsOf(preCopy(), context);
    expect(context.sends.some(({ encode }) => encode)).toBe(false);
    expect(context.stalePages()).toEqual([]);
  });

  it('tells progress inside a long round, and never an earlier round', async () => {
    const context = new SimulatedMigration(forwarder, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy(), context);
    const progress = events.flatMap((event) => (event.type === 'progress' ? [event] : []));
    const ofRound0 = progress.filter(({ round }) => round === 0).slice(0, -1);
    expect(ofRound0.length).toBeGreaterThanOrEqual(2);
    for (const [index, { remainingBytes }] of ofRound0.entries()) {
      expect(remainingBytes).toBeLessThan(ofRound0[index - 1]?.remainingBytes ?? Number.POSITIVE_INFINITY);
    }
    for (const [index, { round }] of progress.entries()) {
      expect(round).toBeGreaterThanOrEqual(progress[index - 1]?.round ?? 0);
    }
    for (const { bytesPerSecond, estimateMs } of progress) {
      expect(bytesPerSecond).toBeGreaterThan(0);
      expect(estimateMs).toBeGreaterThanOrEqual(0);
    }
    expect(events.filter(({ type }) => type === 'phase')).toEqual([
      { type: 'phase', phase: 'pre-copy' },
      { type: 'phase', phase: 'switchover' },
    ]);
  });
});

describe('pre-copy of a guest that never converges', () => {
  it('ends when the total budget is used, and not before', async () => {
    const context = new SimulatedMigration(diabolical, TEN_GIGABIT, BUDGET);
    const events = await eventsOf(preCopy({ maxRounds: 10_000 }), context);
    expect(context.elapsedMs).toBeLessThanOrEqual(BUDGET.totalMs);
    expect(context.elapsedMs).toBeGreaterThan(BUDGET.totalMs * 0.85);
    expect(resultOf(events).blackoutMs).toBeGreaterThan(BUDGET.downtimeMs);
    expect(context.stalePages()).toEqual([]);
  });

  it('ends after the rounds it was given', async () => {
    const context = new SimulatedMigration(diabolical, TEN_GIGABIT, BUDGET);
    expect(roundsOf(await eventsOf(preCopy({ maxRounds: 4 }), context))).toHaveLength(4);
  });

  it('begins no round after the time it was given', async () => {
    const context = new SimulatedMigration(diabolical, TEN_GIGABIT, BUDGET);
    await eventsOf(preCopy({ forceAfterMs: 400 }), context);
    expect(context.sends.at(-2)?.startMs).toBeLessThan(1_000 + 400);
  });

  it('gives up soon where the total is lost already', async () => {
    const context = new SimulatedMigration(diabolical, TEN_GIGABIT, { totalMs: 50, downtimeMs: 10 });
    expect(roundsOf(await eventsOf(preCopy(), context)).length).toBeLessThanOrEqual(4);
  });

  it('leaves pages that were dirtied before their turn to the next round', async () => {
    const wide: SimulatedGuest = {
      pageCount: 131_072,
      present: [[0, 131_072]],
      writesPerMs: 2_000,
      pageOfWrite: (write) => (write * 40_503) % 100_000,
      deltaBytes: 4_200,
    };
    const context = new SimulatedMigration(wide, { ...TEN_GIGABIT, encoding: false }, BUDGET);
    const rounds = roundsOf(await eventsOf(preCopy({ maxRounds: 3 }), context));
    expect(rounds[1]?.pages).toBeLessThan(rounds[0]?.dirtyPages ?? 0);
    expect(context.stalePages()).toEqual([]);
  });
});

describe('pre-copy', () => {
  it('loses no write of any guest', async () => {
    const guests = fc.record({
      residentPages: fc.integer({ min: 0, max: 40_000 }),
      hotPages: fc.integer({ min: 1, max: 40_000 }),
      stride: fc.integer({ min: 1, max: 9_999 }),
      writesPerMs: fc.constantFrom(0, 1, 50, 3_000),
      deltaBytes: fc.integer({ min: 4, max: 4_200 }),
      encoding: fc.boolean(),
      bytesPerMs: fc.constantFrom(125_000, 1_250_000),
      totalMs: fc.constantFrom(1, 100, 2_000),
    });
    await fc.assert(
      fc.asyncProperty(guests, async ({ residentPages, hotPages, stride, encoding, bytesPerMs, totalMs, ...rest }) => {
        const guest: SimulatedGuest = {
          ...rest,
          pageCount: 50_000,
          present: [[100, residentPages]],
          pageOfWrite: (write) => (write * stride) % hotPages,
        };
        const link = { bytesPerMs, turnMs: 0.4, encoding };
        const context = new SimulatedMigration(guest, link, { totalMs, downtimeMs: 10 });
        const rounds = roundsOf(await eventsOf(preCopy(), context));
        expect(context.stalePages()).toEqual([]);
        expect(rounds.map(({ round }) => round)).toEqual(rounds.map((_, index) => index));
        expect(rounds.length).toBeLessThanOrEqual(30);
      }),
      { numRuns: 25 },
    );
  });

  it('ends with the reason of the abort, wherever it comes', async () => {
    for (const abortedSend of [0, 1, 2, 3, 4]) {
      const controller = new AbortController();
      const context = new SimulatedMigration(forwarder, TEN_GIGABIT, BUDGET, controller.signal);
      const reason = new Error('changed my mind');
      context.onSend = (send) => {
        if (send === abortedSend) controller.abort(reason);
      };
      await expect(eventsOf(preCopy(), context)).rejects.toBe(reason);
      expect(context.calls).not.toContain('switchover');
    }
  });

  it('refuses options out of range', () => {
    expect(() => preCopy({ maxRounds: 0 })).toThrow(RangeError);
    expect(() => preCopy({ maxRounds: 1.5 })).toThrow(RangeError);
    expect(() => preCopy({ downtimeTargetMs: -1 })).toThrow(RangeError);
    expect(() => preCopy({ forceAfterMs: Number.NaN })).toThrow(RangeError);
    expect(() => preCopy({ chunkMs: -1 })).toThrow(RangeError);
  });
});
