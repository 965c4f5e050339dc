import { type GuestFixture, guestSuite } from '@godwit/contract-tests';
import {
  type ArenaGuest,
  type ArenaGuestOptions,
  arenaAvailability,
  createArenaGuest,
  restoreTarget,
} from '../src/index.ts';

const MIB = 2 ** 20;
const BLOCK_BYTES = 2 * MIB;
const ZEROS = new Uint8Array(BLOCK_BYTES);

/** The suite sees guests as the port; those of this fixture were made here. */
class Fixture implements GuestFixture {
  readonly #options: ArenaGuestOptions;
  readonly #guests = new Map<unknown, ArenaGuest>();

  constructor(options: ArenaGuestOptions) {
    this.#options = options;
  }

  async create(): Promise<ArenaGuest> {
    return this.#known(await createArenaGuest(this.#options));
  }

  async createEmpty(config: Readonly<Record<string, unknown>>): Promise<ArenaGuest> {
    return this.#known(await restoreTarget(config));
  }

  async createOther(): Promise<ArenaGuest> {
    return this.#known(await createArenaGuest({ ...this.#options, memoryBytes: 66 * MIB }));
  }

  async readMemory(guest: unknown): Promise<Uint8Array> {
    const bytes = new Uint8Array(64 * MIB);
    await this.#find(guest).readMemory(0, bytes);
    return bytes;
  }

  async writeMemory(guest: unknown, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += BLOCK_BYTES) {
      const block = bytes.subarray(offset, offset + BLOCK_BYTES);
      if (Buffer.compare(block, ZEROS) !== 0) await this.#find(guest).writeMemory(offset, block);
    }
  }

  async progress(guest: unknown): Promise<void> {
    const found = this.#find(guest);
    const before = found.counters().heartbeats;
    while (found.counters().heartbeats < before + 10) await new Promise((resolve) => setImmediate(resolve));
  }

  #known(guest: ArenaGuest): ArenaGuest {
    this.#guests.set(guest, guest);
    return guest;
  }

  #find(guest: unknown): ArenaGuest {
    const found = this.#guests.get(guest);
    if (found === undefined) throw new TypeError('not a guest of this fixture');
    return found;
  }
}

const workloads: readonly NonNullable<ArenaGuestOptions['workload']>[] = [
  { name: 'idle', beatMicroseconds: 100 },
  { name: 'l2fwd' },
  { name: 'appmembench', workingSetBytes: 4 * MIB, pattern: 'zipf', bytesPerSecond: 0 },
];

for (const workload of workloads) {
  guestSuite(`arena, ${workload.name}`, () => {
    const { available, reason } = arenaAvailability();
    if (!available) return reason;
    return new Fixture({ memoryBytes: 64 * MIB, residentBytes: 12 * MIB, content: 'mixed', workload });
  });
}
