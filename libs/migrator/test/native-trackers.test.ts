import { type DirtyTrackerFixture, dirtyTrackerSuite } from '@godwit/contract-tests';
import { createDirtyTracker, type TrackerName } from '@godwit/dirty-tracker';
import { type ArenaGuest, arenaAvailability, createArenaGuest } from '@godwit/guest-arena';
import { createKvmGuest, type KvmGuest, type KvmTracking, kvmAvailability } from '@godwit/guest-kvm';
import { PageSet } from '@godwit/page-set';
import { expect, it } from 'vitest';

/**
 * The trackers that need a guest's mapping, over such mappings; `dirty-tracker` itself may know no guest. Single pages are
 * written by this process, whose writes a VM's trackers see as those of a device; the concurrent writers are the guest's own
 * processors.
 */

const MEMORY_BYTES = 64 << 20;
const GUEST = {
  memoryBytes: MEMORY_BYTES,
  residentBytes: 8 << 20,
  // A huge page is one page to some trackers.
  hugePages: false,
  workload: { name: 'appmembench', workingSetBytes: 4 << 20, pattern: 'random' },
} as const;
/** The second word of a page of the working set counts its writes. */
const VALUE_BYTES_IN = 4;

function fixture(guest: ArenaGuest | KvmGuest, prefer: TrackerName): DirtyTrackerFixture {
  const tracker = createDirtyTracker(guest.memory, { prefer });
  const { pageSizeBytes, pageCount } = guest.memory;
  const value = new Uint32Array(1);
  const all = new Uint32Array(MEMORY_BYTES / 4);
  return {
    tracker,
    write: (page, written) =>
      guest.writeMemory(page * pageSizeBytes + VALUE_BYTES_IN, new Uint8Array(Uint32Array.of(written).buffer)),
    async read(page) {
      await guest.readMemory(page * pageSizeBytes + VALUE_BYTES_IN, new Uint8Array(value.buffer));
      return value[0] ?? 0;
    },
    async startWriters() {
      await guest.resume();
      return {
        stop: () => guest.pause(),
        completed() {
          // The copy is made within the call.
          void guest.readMemory(0, new Uint8Array(all.buffer));
          const wordOf = (page: number): number => (page * pageSizeBytes + VALUE_BYTES_IN) / 4;
          return Uint32Array.from({ length: pageCount }, (_, page) => all[wordOf(page)] ?? 0);
        },
        writeCount: () => guest.counters().pagesWritten,
      };
    },
    async dispose() {
      await tracker.close();
      await guest.close();
    },
  };
}

const arena = arenaAvailability();
const kvm = kvmAvailability();

dirtyTrackerSuite('pagemap-scan over an arena', async () =>
  arena.available ? fixture(await createArenaGuest(GUEST), 'pagemap-scan') : `no arena here: ${arena.reason}`,
);

for (const tracking of ['pagemap-scan', 'kvm-dirty-log', 'kvm-dirty-ring'] satisfies KvmTracking[]) {
  dirtyTrackerSuite(`${tracking} over a KVM slot`, async () =>
    kvm.available
      ? fixture(await createKvmGuest({ ...GUEST, tracking, dirtyRingPages: 1024 }), tracking)
      : `no KVM here: ${kvm.reason}`,
  );
}

const RING_PAGES = 1024;
const WORKING_SET_PAGES = 4 * RING_PAGES;

async function contents(guest: KvmGuest): Promise<Uint8Array> {
  const bytes = new Uint8Array(MEMORY_BYTES);
  await guest.readMemory(0, bytes);
  return bytes;
}

it.skipIf(!kvm.available)('a guest whose ring is full goes on, and none of its writes is lost', async () => {
  const guest = await createKvmGuest({
    ...GUEST,
    tracking: 'kvm-dirty-ring',
    dirtyRingPages: RING_PAGES,
    vcpuCount: 1,
    workload: { ...GUEST.workload, workingSetBytes: WORKING_SET_PAGES * 4096 },
  });
  const tracker = createDirtyTracker(guest.memory, { prefer: 'kvm-dirty-ring' });
  try {
    await tracker.start();
    const copy = await contents(guest);
    const dirty = PageSet.empty(tracker.pageCount);
    for (let round = 0; round < 3; round++) {
      const goal = guest.counters().pagesWritten + WORKING_SET_PAGES;
      await guest.resume();
      // Nobody collects meanwhile: only full rings are emptied.
      while (guest.counters().pagesWritten < goal) await new Promise(setImmediate);
      await guest.pause();
      expect(await tracker.collect(dirty.clear())).toBeGreaterThan(RING_PAGES);
      const now = await contents(guest);
      for (const page of dirty.pages()) copy.set(now.subarray(page * 4096, (page + 1) * 4096), page * 4096);
      expect(Buffer.compare(copy, now)).toBe(0);
    }
  } finally {
    await tracker.close();
    await guest.close();
  }
});

for (const tracking of ['kvm-dirty-log', 'kvm-dirty-ring'] satisfies KvmTracking[]) {
  it.skipIf(!kvm.available)(`${tracking} may be closed after its guest`, async () => {
    const guest = await createKvmGuest({ ...GUEST, tracking });
    const tracker = createDirtyTracker(guest.memory, { prefer: tracking });
    const late = createDirtyTracker(guest.memory, { prefer: tracking });
    await tracker.start();
    await guest.close();
    await tracker.close();
    await expect(late.start()).rejects.toMatchObject({ code: 'ERR_GODWIT_CLOSED' });
    await expect(late.collect(PageSet.empty(late.pageCount))).rejects.toMatchObject({
      code: 'ERR_GODWIT_NOT_TRACKING',
    });
    await late.close();
  });
}

it.skipIf(!kvm.available)('a tracker that is closed while it starts, collects and stops is closed', async () => {
  const guest = await createKvmGuest(GUEST);
  for (let round = 0; round < 20; round++) {
    const tracker = createDirtyTracker(guest.memory, { prefer: 'kvm-dirty-log' });
    const work = [tracker.start(), tracker.collect(PageSet.empty(tracker.pageCount)), tracker.stop(), tracker.start()];
    const closing = tracker.close();
    for (const result of await Promise.allSettled(work)) {
      if (result.status === 'rejected') {
        expect(['ERR_GODWIT_CLOSED', 'ERR_GODWIT_NOT_TRACKING']).toContain(result.reason.code);
      }
    }
    await closing;
  }
  await guest.close();
});
