import { type GuestFixture, guestSuite } from '@godwit/contract-tests';
import { createPortableGuest, type PortableGuestOptions, restorePortableGuest } from '../src/index.ts';

const MIB = 2 ** 20;

const fixtureOf = (options: PortableGuestOptions): GuestFixture => ({
  create: () => createPortableGuest(options),
  createEmpty: restorePortableGuest,
  createOther: () => createPortableGuest({ ...options, memoryBytes: 2 * options.memoryBytes }),
});

guestSuite('portable, idle', () =>
  fixtureOf({ memoryBytes: 4 * MIB, residentBytes: MIB, workload: { name: 'idle', beatMicroseconds: 100 } }),
);
guestSuite('portable, appmembench', () =>
  fixtureOf({
    memoryBytes: 4 * MIB,
    residentBytes: 2 * MIB,
    workload: { name: 'appmembench', workingSetBytes: MIB, pattern: 'zipf', wholePages: true },
  }),
);
