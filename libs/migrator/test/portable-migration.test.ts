import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { CompareTracker, createDirtyTracker } from '@godwit/dirty-tracker';
import { createPortableGuest, type PortableGuest, restorePortableGuest } from '@godwit/guest-portable';
import { PageSet } from '@godwit/page-set';
import type { DirtyTracker, MigrationReport, Strategy, Transport } from '@godwit/ports';
import { preCopy, stopAndCopy } from '@godwit/strategies';
import { memoryTransport } from '@godwit/transport-memory';
import { tcp } from '@godwit/transport-tcp';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { describe, expect, it } from 'vitest';
import { type InjectedFaults, listenForGuests, type MigrationOptions, migrate } from '../src/index.ts';
import { rewritten } from './host/rewritten.ts';
import { PUMP_KINDS, progress } from './pump-kinds.ts';
import { SimpleGuest } from './simple-guest.ts';

const MIB = 2 ** 20;

const transports: readonly { readonly name: string; readonly transport: Transport; readonly address: string }[] = [
  { name: 'TCP in TypeScript', transport: tcp({ backend: 'typescript' }), address: 'tcp://127.0.0.1:0' },
  { name: 'native TCP', transport: tcp(), address: 'tcp://127.0.0.1:0' },
  { name: 'memory', transport: memoryTransport(), address: 'memory://*' },
];

interface Moved {
  readonly report: MigrationReport;
  readonly guest: PortableGuest;
  readonly source: PortableGuest;
}

async function move(
  { transport, address }: { transport: Transport; address: string },
  options: {
    readonly encode?: boolean;
    readonly strategy?: (guest: PortableGuest) => Strategy;
    readonly atSource?: InjectedFaults;
    readonly atDestination?: InjectedFaults;
    readonly tracker?: (guest: PortableGuest) => DirtyTracker;
  } = {},
): Promise<Moved> {
  const source = await createPortableGuest({
    memoryBytes: 8 * MIB,
    residentBytes: 2 * MIB,
    workload: { name: 'appmembench', workingSetBytes: MIB, pagesPerSecond: 20_000, pattern: 'zipf' },
  });
  await source.resume();
  const codec = createXbzrleCodec();
  const arrived: { guest?: PortableGuest } = {};
  const destination = await listenForGuests({
    transport,
    address,
    codecs: [codec],
    createGuest: async ({ config }) => {
      arrived.guest = await restorePortableGuest(config);
      return arrived.guest;
    },
    ...(options.atDestination && { injectedFaults: options.atDestination }),
  });
  const tracker = (options.tracker ?? (({ memory }) => createDirtyTracker(memory)))(source);
  const { report } = migrate({
    guest: source,
    tracker,
    scanner: createZeroPageScanner(),
    ...(options.encode === true && { codec }),
    strategy: (options.strategy ?? (() => preCopy()))(source),
    transport,
    address: destination.address,
    budget: { totalMs: 2000, downtimeMs: 50 },
    ...(options.atSource && { injectedFaults: options.atSource }),
  });
  const [seen] = await Promise.all([report, destination.nextArrival().then(({ verification }) => verification)]);
  await tracker.close();
  await destination.close();
  return { report: seen, guest: arrived.guest as PortableGuest, source };
}

async function expectMoved({ report, guest, source }: Moved): Promise<void> {
  expect(report).toMatchObject({ verified: true, mismatchedPages: 0, backends: { pump: 'typescript' } });
  expect(source.running).toBe(false);
  await progress(guest);
  await Promise.all([guest.close(), source.close()]);
}

for (const where of transports) {
  describe(`a portable guest over ${where.name}`, () => {
    it.each([
      ['with', true],
      ['without', false],
    ])('moves while it runs, %s XBZRLE, and every page is equal', async (_with, encode) => {
      const moved = await move(where, { encode });
      if (encode) expect(moved.report.backends.codec).toBeDefined();
      await expectMoved(moved);
    });

    it('moves in one go', async () => {
      await expectMoved(await move(where, { strategy: () => stopAndCopy() }));
    });

    it('moves by comparison', async () => {
      const tracker = ({ memory }: PortableGuest): DirtyTracker =>
        new CompareTracker(memory.bytes as Uint8Array, memory.pageSizeBytes);
      await expectMoved(await move(where, { tracker, encode: true }));
    });

    it.each<[string, InjectedFaults, InjectedFaults]>([
      ['a dirty page is lost', { forgetOneIn: 1_000_000 }, {}],
      ['a page is torn', { tearPage: true }, {}],
      ['a page is left stale', {}, { keepStalePage: true }],
    ])('turns red when %s', async (_what, atSource, atDestination) => {
      const { report, guest, source } = await move(where, { atSource, atDestination, strategy: rewritten });
      expect(report.verified).toBe(false);
      expect(report.mismatchedPages).toBeGreaterThan(0);
      await Promise.all([guest.close(), source.close()]);
    });
  });
}

/** What a migration needs beside guest, tracker, strategy and where to. */
function rest(): Pick<MigrationOptions, 'scanner' | 'budget' | 'timeoutMs'> {
  return { scanner: createZeroPageScanner(), budget: { totalMs: 1000, downtimeMs: 100 }, timeoutMs: 2000 };
}

describe('a page that changes and changes back between two collections', () => {
  it('arrives as it is, because the snapshot is sent and not what was met', async () => {
    const guest = new SimpleGuest(8);
    const page = guest.page(5).subarray(100);
    page.fill(0xa);
    const tracker = new CompareTracker(guest.memory.bytes, guest.memory.pageSizeBytes);
    const destinationGuest = new SimpleGuest(8);
    // It runs as far as anybody asks; what it writes is written below.
    guest.running = true;
    const transport = memoryTransport();
    const destination = await listenForGuests({
      transport,
      address: 'memory://*',
      createGuest: async () => destinationGuest,
    });
    // Behaves as the worst guest would: changed whenever it is looked at in a round, and as before when it is compared.
    const flipping: Strategy = {
      name: 'flipping',
      async *run(context) {
        yield* [];
        await context.trackWrites();
        page.fill(0xb);
        await context.send(new Uint32Array([0, 8]), { encode: false });
        page.fill(0xa);
        const dirty = PageSet.empty(8);
        expect(await context.collectDirty(dirty)).toBe(0);
        await context.switchover({ pending: dirty, encode: false });
      },
    };
    const { report } = migrate({
      ...rest(),
      guest,
      tracker,
      strategy: flipping,
      transport,
      address: destination.address,
    });
    expect(await report).toMatchObject({ verified: true, mismatchedPages: 0 });
    expect(destinationGuest.page(5)[200]).toBe(0xa);
    await destination.close();
    await Promise.all([destinationGuest.close(), guest.close()]);
  });
});

describe('a destination that cannot take the guest', () => {
  const native = PUMP_KINDS.find(({ name }) => name === 'native');
  it.skipIf(native?.missingBecause !== undefined)('says so before it admits it', async () => {
    if (native === undefined) throw new TypeError('no native pump');
    const guest = await native.create();
    const tracker = native.tracker(guest);
    // Its transport has no capsule, and the memory of such guests no bytes for JavaScript.
    const destination = await listenForGuests({
      transport: tcp({ backend: 'typescript' }),
      address: 'tcp://127.0.0.1:0',
      createGuest: native.restore,
    });
    const { report } = migrate({
      ...rest(),
      guest,
      tracker,
      verify: false,
      strategy: preCopy(),
      transport: tcp(),
      address: destination.address,
    });
    await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_UNSUPPORTED' });
    await progress(guest);
    await tracker.close();
    await guest.close();
    await destination.close();
  });

  it('says that its port is in use', async () => {
    for (const transport of [tcp(), tcp({ backend: 'typescript' })]) {
      const first = await listenForGuests({
        transport,
        address: 'tcp://127.0.0.1:0',
        createGuest: async (description) => SimpleGuest.restore(description),
      });
      const second = listenForGuests({
        transport,
        address: first.address,
        createGuest: async (description) => SimpleGuest.restore(description),
      });
      await expect(second).rejects.toMatchObject({ code: 'ERR_GODWIT_LISTEN_FAILED' });
      await first.close();
    }
  });

  it('is not there', async () => {
    const guest = new SimpleGuest();
    await guest.resume();
    for (const transport of [tcp(), tcp({ backend: 'typescript' })]) {
      const destination = await listenForGuests({
        transport,
        address: 'tcp://127.0.0.1:0',
        createGuest: async (description) => SimpleGuest.restore(description),
      });
      await destination.close();
      const { report } = migrate({
        ...rest(),
        guest,
        strategy: stopAndCopy(),
        transport,
        address: destination.address,
      });
      await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_CONNECT_FAILED' });
    }
    await progress(guest);
    await guest.close();
  });

  it('gives the guest back when it cannot start it', async () => {
    const guest = new SimpleGuest();
    await guest.resume();
    const transport = tcp({ backend: 'typescript' });
    const destination = await listenForGuests({
      transport,
      address: 'tcp://127.0.0.1:0',
      createGuest: async (description) => {
        const arriving = SimpleGuest.restore(description);
        arriving.failToResume = new Error('no processor is free');
        return arriving;
      },
    });
    const { report } = migrate({
      ...rest(),
      guest,
      tracker: createDirtyTracker(guest.memory),
      strategy: stopAndCopy(),
      transport,
      address: destination.address,
    });
    await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_PEER_FAILED' });
    await expect(report).rejects.toThrow('no processor is free');
    await progress(guest);
    await destination.close();
    await guest.close();
  });
});
