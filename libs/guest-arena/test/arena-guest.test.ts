import { isGodwitError, type PageBitmap } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ArenaGuest, arenaAvailability, createArenaGuest, restoreTarget } from '../src/index.ts';

const MIB = 2 ** 20;
const { available, reason } = arenaAvailability();

async function presentPages(guest: ArenaGuest): Promise<number> {
  const { pageCount } = guest.memory;
  const bitmap: PageBitmap = { pageCount, words: new Uint32Array(Math.ceil(pageCount / 64) * 2) };
  return guest.memory.present(bitmap);
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe.skipIf(!available)(`arena guests${available ? '' : ` (skipped: ${reason})`}`, () => {
  it('has 8 GiB by default, of which only what it needs is populated', async () => {
    await using guest = await createArenaGuest();
    expect(guest.describe()).toMatchObject({ kind: 'arena', memoryBytes: 8 * 1024 ** 3, workload: 'idle' });
    const pages = await presentPages(guest);
    expect(pages).toBeGreaterThan((62 * MIB) / 4096);
    expect(pages).toBeLessThanOrEqual((64 * MIB) / 4096);
  });

  it('makes an empty twin that populates nothing and waits for its state', async () => {
    await using guest = await createArenaGuest({ workload: { name: 'l2fwd' }, residentBytes: 32 * MIB });
    await using twin = await restoreTarget(guest.describe().config);
    expect(await presentPages(twin)).toBe(0);
    expect(twin.describe()).toEqual(guest.describe());
    expect(twin.stateBytesMax).toBe(guest.stateBytesMax);
    expect(isGodwitError(await refusal(twin.resume()), 'ERR_GODWIT_STATE_INVALID')).toBe(true);
    expect((await twin.selfCheck()).ok).toBe(false);
  });

  it('counts what its program does', async () => {
    const workload = { name: 'appmembench', workingSetBytes: 2 * MIB, pattern: 'sweep' } as const;
    await using guest = await createArenaGuest({ memoryBytes: 64 * MIB, residentBytes: 8 * MIB, workload });
    await guest.resume();
    while (guest.counters().iterations < 3) await new Promise((resolve) => setImmediate(resolve));
    await guest.pause();
    const counters = guest.counters();
    expect(counters.pagesWritten).toBeGreaterThanOrEqual(3 * 512);
    expect(counters.iterationMaxMs).toBeGreaterThan(0);
    expect(await guest.selfCheck()).toMatchObject({ ok: true, errorCount: 0 });
  });

  it('says so when memory is not what its program left', async () => {
    const workload = { name: 'idle', beatMicroseconds: 1 } as const;
    await using guest = await createArenaGuest({ memoryBytes: 64 * MIB, residentBytes: 16 * MIB, workload });
    const at = 33 * MIB + 123;
    const byte = new Uint8Array(1);
    await guest.readMemory(at, byte);
    await guest.writeMemory(
      at,
      byte.map((value) => value ^ 1),
    );
    await guest.resume();
    while (guest.counters().errorCount === 0) await new Promise((resolve) => setImmediate(resolve));
    await guest.pause();
    const check = await guest.selfCheck();
    expect(check.ok).toBe(false);
    expect(check.detail).toContain('a resident page does not hold its content');
  });

  it('keeps memory away from those who ask for too much', async () => {
    await using guest = await createArenaGuest({ memoryBytes: 64 * MIB, residentBytes: 0 });
    const outside = [guest.readMemory(64 * MIB, new Uint8Array(1)), guest.writeMemory(64 * MIB - 1, new Uint8Array(2))];
    for (const work of outside) expect(isGodwitError(await refusal(work), 'ERR_GODWIT_PAGE_RANGE')).toBe(true);
    await expect(guest.readMemory(-1, new Uint8Array(1))).rejects.toThrow(RangeError);
  });

  it('refuses what cannot be', async () => {
    await expect(createArenaGuest({ memoryBytes: 3 })).rejects.toThrow(RangeError);
    await expect(createArenaGuest({ vcpuCount: 0 })).rejects.toThrow(RangeError);
    await expect(createArenaGuest({ memoryBytes: 64 * MIB, residentBytes: 64 * MIB })).rejects.toThrow(RangeError);
    const missing = createArenaGuest({ memoryBytes: 64 * MIB, residentBytes: 0, cablePath: '/nonexistent' });
    expect(isGodwitError(await refusal(missing), 'ERR_GODWIT_NATIVE_FAILED')).toBe(true);
  });

  it('takes any configuration from a peer for a guest or a refusal', async () => {
    const field = fc.oneof(
      fc.integer(),
      fc.string(),
      fc.constant(null),
      fc.constant([]),
      fc.constant({ name: 'l2fwd' }),
    );
    const keys = ['memoryBytes', 'vcpuCount', 'workload', 'residentBytes', 'content', 'seed', 'macs'];
    const config = fc.dictionary(fc.constantFrom(...keys), field);
    await fc.assert(
      fc.asyncProperty(config, async (fields) => {
        try {
          await (await restoreTarget(fields)).close();
        } catch (error) {
          if (!isGodwitError(error, 'ERR_GODWIT_REFUSED')) throw error;
        }
      }),
      { numRuns: 200 },
    );
  });
});

it('says what is missing, if something is', () => {
  expect(available).toBe(reason === '');
});
