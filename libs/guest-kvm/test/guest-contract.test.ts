import { type GuestFixture, guestSuite } from '@godwit/contract-tests';
import type { Guest } from '@godwit/ports';
import { createKvmGuest, type KvmGuest, type KvmGuestOptions, kvmAvailability, restoreTarget } from '../src/index.ts';

const MIB = 1024 ** 2;
const { available, reason } = kvmAvailability();

function fixture(options: KvmGuestOptions): GuestFixture {
  const guests = new Map<Guest, KvmGuest>();
  const known = (guest: KvmGuest): Guest => {
    guests.set(guest, guest);
    return guest;
  };
  const own = (guest: Guest): KvmGuest => {
    const found = guests.get(guest);
    if (found === undefined) throw new TypeError('a guest of another fixture');
    return found;
  };
  return {
    create: async () => known(await createKvmGuest(options)),
    createEmpty: async (config) => known(await restoreTarget(config)),
    createOther: async () => known(await createKvmGuest({ ...options, memoryBytes: 66 * MIB })),
    readMemory: async (guest) => {
      const bytes = new Uint8Array(guest.memory.pageCount * guest.memory.pageSizeBytes);
      await own(guest).readMemory(0, bytes);
      return bytes;
    },
    writeMemory: (guest, bytes) => own(guest).writeMemory(0, bytes),
    progress: async (guest) => {
      const before = own(guest).counters().heartbeats;
      while (own(guest).counters().heartbeats <= before) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const SMALL = { memoryBytes: 64 * MIB, residentBytes: 24 * MIB, content: 'mixed' } as const;
const workloads: Record<string, KvmGuestOptions> = {
  idle: { ...SMALL, vcpuCount: 2, workload: { name: 'idle', beatMicroseconds: 200 } },
  l2fwd: { ...SMALL, workload: { name: 'l2fwd' } },
  appmembench: { ...SMALL, workload: { name: 'appmembench', workingSetBytes: 4 * MIB, pattern: 'zipf' } },
  'appmembench, with dirty rings': {
    ...SMALL,
    tracking: 'kvm-dirty-ring',
    vcpuCount: 2,
    workload: { name: 'appmembench', workingSetBytes: 4 * MIB, pattern: 'random' },
  },
  'appmembench, whole pages': {
    ...SMALL,
    tracking: 'pagemap-scan',
    workload: { name: 'appmembench', workingSetBytes: 4 * MIB, bytesPerSecond: 200 * MIB },
  },
};

for (const [name, options] of Object.entries(workloads)) {
  guestSuite(`kvm, ${name}`, () => (available ? fixture(options) : `no KVM here: ${reason}`));
}
