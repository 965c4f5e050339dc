import { type DirtyTrackerFixture, dirtyTrackerSuite } from '@godwit/contract-tests';
import { createDirtyTracker } from '@godwit/dirty-tracker';
import { arenaAvailability, createArenaGuest } from '@godwit/guest-arena';
import { createKvmGuest, kvmAvailability } from '@godwit/guest-kvm';
import type { Guest } from '@godwit/ports';
import { it } from 'vitest';

/** The trackers that need a guest's mapping, over such mappings; `dirty-tracker` itself may know no guest. */

const MEMORY_BYTES = 64 << 20;

interface Writable extends Guest {
  readMemory(offsetBytes: number, into: Uint8Array): Promise<void>;
  writeMemory(offsetBytes: number, from: Uint8Array): Promise<void>;
}

function fixture(guest: Writable): DirtyTrackerFixture {
  const tracker = createDirtyTracker(guest.memory, { prefer: 'pagemap-scan' });
  const { pageSizeBytes } = guest.memory;
  return {
    tracker,
    write: (page, value) => guest.writeMemory(page * pageSizeBytes, new Uint8Array(new Uint32Array([value]).buffer)),
    async read(page) {
      const value = new Uint32Array(1);
      await guest.readMemory(page * pageSizeBytes, new Uint8Array(value.buffer));
      return value[0] ?? 0;
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
  arena.available
    ? fixture(await createArenaGuest({ memoryBytes: MEMORY_BYTES, residentBytes: 0, empty: true }))
    : `no arena here: ${arena.reason}`,
);

dirtyTrackerSuite('pagemap-scan over a KVM slot', async () =>
  kvm.available
    ? fixture(
        await createKvmGuest({ memoryBytes: MEMORY_BYTES, residentBytes: 0, empty: true, tracking: 'pagemap-scan' }),
      )
    : `no KVM here: ${kvm.reason}`,
);

it('kvm-dirty-log', ({ skip }) => {
  skip(
    "only a guest writes so that this log sees it, page by page at nobody's request; hops and the injected lost page hold it",
  );
});
