import type { MigrationEvent, MigrationPhase, Strategy } from '@godwit/ports';
import { expect } from 'vitest';
import { type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { SimulatedContext, type SimulationOptions } from './simulated-context.ts';

/** A strategy; the same value is run several times. */
export interface StrategyFixture {
  readonly strategy: Strategy;
}

type Case = ContractCase<StrategyFixture>;

/** What came of a run, whether it ended well or not. */
interface Outcome {
  readonly context: SimulatedContext;
  readonly events: readonly MigrationEvent[];
  readonly error: unknown;
}

const PHASES: readonly MigrationPhase[] = ['setup', 'pre-copy', 'switchover', 'complete', 'verify', 'done'];

const scenarios: Readonly<Record<string, SimulationOptions>> = {
  'an idle guest': {},
  'a guest without memory in use': { presentPages: 0 },
  'a guest of one page': { pageCount: 1, presentPages: 1 },
  'a memory whose last word is not full': { pageCount: 97, presentPages: 97 },
  'a guest that writes a little': {
    workload: { writesPerSecond: 5_000, firstPage: 100, pageCount: 300, pattern: 'random' },
  },
  'a guest that writes what it never touched': {
    presentPages: 50,
    workload: { writesPerSecond: 20_000, firstPage: 0, pageCount: 2000, pattern: 'random' },
  },
  'a guest that writes all it has, over and over': {
    presentPages: 2000,
    workload: { writesPerSecond: 20_000, firstPage: 0, pageCount: 2000, pattern: 'sweep' },
  },
  'a guest that writes faster than the link': {
    workload: { writesPerSecond: 400_000, firstPage: 0, pageCount: 1000, pattern: 'random' },
  },
  'a slow link of a known rate': {
    linkBytesPerSecond: 4_000_000,
    linkIsKnown: true,
    roundTripMs: 50,
    workload: { writesPerSecond: 500, firstPage: 0, pageCount: 200, pattern: 'sweep' },
  },
  'a codec': {
    encoding: true,
    workload: { writesPerSecond: 40_000, firstPage: 200, pageCount: 400, pattern: 'random' },
  },
  'a budget that cannot be met': {
    budget: { totalMs: 1, downtimeMs: 0.01 },
    workload: { writesPerSecond: 40_000, firstPage: 0, pageCount: 1000, pattern: 'random' },
  },
};

async function run({ strategy }: StrategyFixture, options: SimulationOptions): Promise<Outcome> {
  const context = new SimulatedContext(options);
  const events: MigrationEvent[] = [];
  try {
    for await (const event of strategy.run(context)) events.push(event);
  } catch (error) {
    return { context, events, error };
  }
  return { context, events, error: undefined };
}

function expectWellFormed(events: readonly MigrationEvent[]): void {
  let phase = 0;
  let round = 0;
  let reported = -1;
  let switched = false;
  for (const event of events) {
    for (const value of Object.values(event.type === 'round' ? event.round : event)) {
      if (typeof value === 'number') {
        expect(value >= 0 && !Number.isNaN(value), `a figure in ${JSON.stringify(event)}`).toBe(true);
      }
    }
    if (event.type === 'phase') {
      expect(PHASES.indexOf(event.phase), `phase ${event.phase}`).toBeGreaterThanOrEqual(phase);
      phase = PHASES.indexOf(event.phase);
    } else if (event.type === 'progress') {
      expect(switched, 'progress after the switchover').toBe(false);
      expect(event.round, 'the round never falls').toBeGreaterThanOrEqual(round);
      round = event.round;
    } else if (event.type === 'round') {
      expect(event.round.round, 'each round is reported once, in order').toBeGreaterThan(reported);
      reported = event.round.round;
    } else {
      expect(switched, 'one switchover').toBe(false);
      switched = true;
    }
  }
}

function expectArrived({ context, events, error }: Outcome): void {
  expect(context.violations).toEqual([]);
  expect(error, `ended with ${String(error)}`).toBeUndefined();
  expect(context.calls.filter(({ call }) => call === 'switchover')).toHaveLength(1);
  expect(context.result, 'the guest runs at the destination').toBeDefined();
  expect(context.mismatchedPages, 'pages whose last write is lost').toEqual([]);
  expectWellFormed(events);
  const switchover = events.find((event) => event.type === 'switchover');
  if (switchover?.type === 'switchover') expect(switchover.result).toEqual(context.result);
}

/** Stopped early: nothing happens afterwards, and the guest stays. */
async function expectStopped({ context, events }: Outcome): Promise<void> {
  expect(context.violations).toEqual([]);
  expect(context.result, 'the guest stays').toBeUndefined();
  expectWellFormed(events);
  const calls = context.calls.length;
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(context.calls.length, 'no call after the end').toBe(calls);
}

const busy: SimulationOptions = {
  workload: { writesPerSecond: 100_000, firstPage: 0, pageCount: 1000, pattern: 'random' },
};

const cases: readonly Case[] = [
  {
    name: 'names itself',
    run({ strategy }) {
      expect(strategy.name).toMatch(/^[a-z][a-z-]*$/);
    },
  },
  ...Object.entries(scenarios).map(
    ([name, options]): Case => ({
      name: `moves ${name}`,
      async run(fixture) {
        expectArrived(await run(fixture, options));
      },
    }),
  ),
  {
    name: 'moves one guest after the other with the same value',
    async run(fixture) {
      const first = await run(fixture, busy);
      expectArrived(first);
      const second = await run(fixture, busy);
      expectArrived(second);
      expect(second.context.calls).toEqual(first.context.calls);
    },
  },
  {
    name: 'stops when it is cancelled, with the reason',
    async run(fixture) {
      const whole = await run(fixture, busy);
      expectArrived(whole);
      const start = whole.context.calls.at(-1)?.atMs ?? 0;
      for (const abortAtMs of [0, start * 0.1, start * 0.5, start * 0.99]) {
        const abortReason = new Error('changed my mind');
        const outcome = await run(fixture, { ...busy, abortAtMs, abortReason });
        expect(outcome.error).toBe(abortReason);
        await expectStopped(outcome);
      }
    },
  },
  {
    name: 'passes on what goes wrong, and does no more',
    async run(fixture) {
      for (const call of ['presentPages', 'trackWrites', 'collectDirty', 'send', 'switchover'] as const) {
        const error = new Error(`${call} failed`);
        const outcome = await run(fixture, { ...busy, fail: { call, number: 1, error } });
        // A strategy need not make every call.
        if (outcome.error === undefined && !outcome.context.calls.some((made) => made.call === call)) continue;
        expect(outcome.error).toBe(error);
        await expectStopped(outcome);
        expect(outcome.context.calls.at(-1)?.call).toBe(call);
      }
    },
  },
  {
    name: 'stops when nobody takes its events any more',
    async run({ strategy }) {
      const context = new SimulatedContext(busy);
      const events: MigrationEvent[] = [];
      for await (const event of strategy.run(context)) {
        events.push(event);
        if (context.result === undefined) break;
      }
      if (context.result === undefined) await expectStopped({ context, events, error: undefined });
    },
  },
];

/** What every `Strategy` must do. */
export const strategyCases: readonly Case[] = cases;

/** Registers `strategyCases` for a strategy. */
export function strategySuite(name: string, makeStrategy: () => Strategy): void {
  const make: FixtureMaker<StrategyFixture> = () => ({ strategy: makeStrategy() });
  registerCases(`strategy ${name}`, strategyCases, make);
}
