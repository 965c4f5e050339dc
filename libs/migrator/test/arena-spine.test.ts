import { createDirtyTracker } from '@godwit/dirty-tracker';
import { arenaAvailability, createArenaGuest, restoreTarget } from '@godwit/guest-arena';
import { preCopy } from '@godwit/strategies';
import { tcp } from '@godwit/transport-tcp';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { describe, expect, it } from 'vitest';
import { listenForGuests, migrate } from '../src/index.ts';

const MIB = 2 ** 20;
const { available, reason } = arenaAvailability();

const workloads = [
  { name: 'idle' },
  { name: 'l2fwd' },
  { name: 'appmembench', workingSetBytes: 16 * MIB, pagesPerSecond: 200_000, pattern: 'zipf' },
] as const;

describe.skipIf(!available)(`an arena guest over TCP${available ? '' : ` (skipped: ${reason})`}`, () => {
  it.each(workloads)('moves with $name while it runs, and every page is equal', async (workload) => {
    await using guest = await createArenaGuest({ residentBytes: 64 * MIB, content: 'mixed', workload });
    const tracker = createDirtyTracker(guest.memory);
    expect(tracker.name).toBe('pagemap-scan');
    await guest.resume();
    const failures: Error[] = [];
    await using destination = await listenForGuests({
      transport: tcp(),
      address: 'tcp://127.0.0.1:0',
      createGuest: ({ config }) => restoreTarget(config),
      onFailure: (error) => failures.push(error),
    });
    const migration = migrate({
      guest,
      tracker,
      scanner: createZeroPageScanner(),
      strategy: preCopy(),
      transport: tcp(),
      address: destination.address,
      budget: { totalMs: 2000, downtimeMs: 10 },
    });
    const report = await migration.report;
    expect(report).toMatchObject({ verified: true, guest: { kind: 'arena', workload: workload.name } });
    const arrival = await destination.nextArrival();
    expect(guest.running).toBe(false);
    expect(arrival.guest.running).toBe(true);
    const { checkedCount } = await guest.selfCheck();
    let check = await arrival.guest.selfCheck();
    while (workload.name !== 'l2fwd' && check.checkedCount <= checkedCount) check = await arrival.guest.selfCheck();
    await arrival.guest.pause();
    expect(await arrival.guest.selfCheck()).toMatchObject({ ok: true, errorCount: 0 });
    await arrival.guest.close();
    await tracker.close();
    expect(failures).toEqual([]);
  });
});
