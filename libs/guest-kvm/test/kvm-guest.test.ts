import { PageSet } from '@godwit/page-set';
import { isGodwitError } from '@godwit/ports';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKvmGuest, type KvmGuest, kvmAvailability, restoreTarget } from '../src/index.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const { available, reason } = kvmAvailability();

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return isGodwitError(error) ? error.code : error;
  }
  return undefined;
}

async function beats(guest: KvmGuest, count: number): Promise<void> {
  const goal = guest.counters().heartbeats + count;
  while (guest.counters().heartbeats < goal) await new Promise((resolve) => setImmediate(resolve));
}

describe('options', () => {
  it.each([
    { memoryBytes: 63 * MIB },
    { memoryBytes: 64 * MIB + 4096 },
    { memoryBytes: 64 * GIB },
    { vcpuCount: 0 },
    { vcpuCount: 17 },
    { residentBytes: -1 },
    { seed: -1 },
    { idlePollMicroseconds: 0 },
    { dirtyRingPages: 512 },
    { dirtyRingPages: 5000 },
    { dirtyRingPages: 131_072 },
    { workload: { name: 'appmembench' as const, workingSetBytes: 16 * GIB } },
    { workload: { name: 'idle' as const, beatMicroseconds: 0 } },
  ])('refuses %j as out of range', async (options) => {
    await expect(createKvmGuest(options)).rejects.toThrow(RangeError);
  });

  it('knows its trackings', async () => {
    await expect(createKvmGuest({ tracking: 'guess' as 'kvm-dirty-log' })).rejects.toThrow(TypeError);
  });

  it('refuses what cannot be from a peer, whatever it is', async () => {
    const configs: Record<string, unknown>[] = [
      { memoryBytes: '8' },
      { memoryBytes: Number.NaN },
      { memoryBytes: 1e300 },
      { workload: 'l2fwd' },
      { workload: { name: 'rm' } },
      { workload: { name: 'appmembench', workingSetBytes: MIB, pagesPerSecond: 1, bytesPerSecond: 1 } },
      { workload: { name: 'appmembench', workingSetBytes: MIB, pattern: '__proto__' } },
      { macs: ['02:00:00:00:00:01'] },
      { macs: ['02:00:00:00:00:01', 7] },
      { macs: ['02:00:00:00:00:01', 'zz'.repeat(100_000)] },
      { content: {} },
      { seed: 0.5 },
    ];
    for (const config of configs) expect(await codeOf(restoreTarget(config))).toBe('ERR_GODWIT_REFUSED');
  });
});

describe.skipIf(!available)(`a guest on /dev/kvm${reason === '' ? '' : ` (skipped: ${reason})`}`, () => {
  let guest: KvmGuest;

  beforeEach(async () => {
    guest = await createKvmGuest({
      residentBytes: 64 * MIB,
      content: 'text',
      workload: { name: 'l2fwd' },
      vcpuCount: 2,
    });
  });

  afterEach(async () => {
    await guest.close();
  });

  it('has 8 GiB of which little is populated, above 4 GiB too', async () => {
    const { memory } = guest;
    expect(memory.pageCount).toBe((8 * GIB) / 4096);
    const present = PageSet.empty(memory.pageCount);
    const count = await memory.present(present);
    expect(count * 4096).toBeGreaterThan(60 * MIB);
    expect(count * 4096).toBeLessThan(68 * MIB);
    expect([...present.runs()].some(({ firstPage }) => firstPage >= (3 * GIB) / 4096)).toBe(true);
  });

  it('populates nothing in an empty twin', async () => {
    await using twin = await restoreTarget(guest.describe().config);
    expect(twin.describe()).toEqual(guest.describe());
    expect(await twin.memory.present(PageSet.empty(twin.memory.pageCount))).toBe(0);
    expect(await codeOf(twin.resume())).toBe('ERR_GODWIT_STATE_INVALID');
    expect((await twin.selfCheck()).ok).toBe(false);
  });

  it('says that a program crashed', async () => {
    await guest.writeMemory(0x20_0000, Uint8Array.of(0x0f, 0x0b));
    await guest.resume();
    while ((await guest.selfCheck()).ok) await new Promise((resolve) => setImmediate(resolve));
    expect((await guest.selfCheck()).detail).toMatch(/the guest stopped/);
    expect(guest.running).toBe(false);
    expect(await codeOf(guest.resume())).toBe('ERR_GODWIT_GUEST_STOPPED');
  });

  it('finds a damaged page by itself', async () => {
    await using idle = await createKvmGuest({
      memoryBytes: 64 * MIB,
      residentBytes: 8 * MIB,
      content: 'code',
      workload: { name: 'idle', beatMicroseconds: 1 },
    });
    await idle.writeMemory(32 * MIB + 5 * 4096 + 100, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    await idle.resume();
    while ((await idle.selfCheck()).ok) await beats(idle, 1);
    expect(idle.counters().firstError).toMatch(/resident page .* \(at 0x2005000\)/);
  });

  it('moves its own counters, and knows its bounds', async () => {
    await guest.resume();
    await beats(guest, 20);
    await guest.pause();
    expect(await guest.selfCheck()).toMatchObject({ ok: true, errorCount: 0 });
    expect(await codeOf(guest.readMemory(8 * GIB - 1, new Uint8Array(2)))).toBe('ERR_GODWIT_PAGE_RANGE');
    await expect(guest.readMemory(-1, new Uint8Array(2))).rejects.toThrow(RangeError);
    await expect(guest.memory.present(PageSet.empty(1))).rejects.toThrow(RangeError);
  });

  it('says what is wrong with a cable that is not there', async () => {
    expect(
      await codeOf(createKvmGuest({ memoryBytes: 64 * MIB, residentBytes: 0, cablePath: '/dev/shm/nowhere' })),
    ).toBe('ERR_GODWIT_NATIVE_FAILED');
  });
});
