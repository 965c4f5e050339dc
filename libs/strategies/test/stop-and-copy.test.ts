import { expect, it } from 'vitest';
import { stopAndCopy } from '../src/index.ts';
import { eventsOf, type SimulatedGuest, SimulatedMigration } from './simulated-migration.ts';

const guest: SimulatedGuest = {
  pageCount: 10_000,
  present: [[0, 4_000]],
  writesPerMs: 500,
  pageOfWrite: (write) => 3_900 + (write % 200),
  deltaBytes: 100,
};

it('sends all populated pages once, while the guest stands', async () => {
  const context = new SimulatedMigration(
    guest,
    { bytesPerMs: 1_250_000, turnMs: 0.4 },
    { totalMs: 2_000, downtimeMs: 10 },
  );
  const events = await eventsOf(stopAndCopy(), context);
  expect(context.calls).toEqual(['trackWrites', 'presentPages', 'switchover']);
  expect(context.sends).toHaveLength(1);
  expect(events.map(({ type }) => type)).toEqual(['progress', 'phase', 'switchover']);
  expect(context.stalePages()).toEqual([]);
});

it('does not start after an abort', async () => {
  const reason = new Error('no');
  const context = new SimulatedMigration(
    guest,
    { bytesPerMs: 1_250_000, turnMs: 0.4 },
    { totalMs: 2_000, downtimeMs: 10 },
    AbortSignal.abort(reason),
  );
  await expect(eventsOf(stopAndCopy(), context)).rejects.toBe(reason);
  expect(context.calls).toEqual([]);
});
