/** A host process of the tests: makes, sends and receives guests as its parent asks. */
import { readdirSync, readFileSync } from 'node:fs';
import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { recencyOrder } from '@godwit/dirty-tracker';
import type { Guest, Strategy } from '@godwit/ports';
import { preCopy, stopAndCopy } from '@godwit/strategies';
import { tcp } from '@godwit/transport-tcp';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { type Destination, journalFence, listenForGuests, migrate } from '../../src/index.ts';
import { type GuestKind, guestKind } from './guest-kinds.ts';
import type { HostRequestName, HostRequests } from './requests.ts';
import { rewritten } from './rewritten.ts';

let kind: GuestKind | undefined;
let guest: Guest | undefined;
let destination: Destination | undefined;

type Handlers = {
  [Name in HostRequestName]: (params: HostRequests[Name]['params']) => Promise<HostRequests[Name]['result']>;
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Killed and not yet reaped by its parent still counts as a process; it is dead all the same.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`this host has no ${what}`);
  return value;
}

function strategyOf(name: HostRequests['migrate']['params']['strategy'], moving: Guest): Strategy {
  if (name === 'rewritten') return rewritten(moving);
  return name === 'stop-and-copy' ? stopAndCopy() : preCopy({ order: recencyOrder() });
}

const handlers: Handlers = {
  async create({ kind: name, ...request }) {
    kind = guestKind(name);
    guest = await kind.create(request);
    await guest.resume();
  },
  async listen({ kind: name, cablePath, ...options }) {
    const arriving = guestKind(name);
    kind = arriving;
    await destination?.close();
    destination = await listenForGuests({
      ...options,
      transport: tcp(),
      address: 'tcp://127.0.0.1:0',
      codecs: [createXbzrleCodec()],
      createGuest: (description) => arriving.restore(description, cablePath),
    });
    return { address: destination.address };
  },
  async migrate({ strategy, encode, linkBytesPerSecond, journalPath, destinationPid, cancelInRound, ...options }) {
    const moving = present(guest, 'guest');
    const tracker = present(kind, 'kind').tracker(moving);
    const controller = new AbortController();
    const link = linkBytesPerSecond === undefined ? {} : { linkBytesPerSecond };
    try {
      const migration = migrate({
        ...options,
        ...link,
        guest: moving,
        tracker,
        scanner: createZeroPageScanner(),
        ...(encode === false ? {} : { codec: createXbzrleCodec() }),
        strategy: strategyOf(strategy, moving),
        transport: tcp(link),
        budget: { totalMs: 5000, downtimeMs: 50 },
        signal: controller.signal,
        ...(journalPath !== undefined &&
          destinationPid !== undefined && {
            fence: journalFence({ journalPath, isAlive: () => isAlive(destinationPid) }),
          }),
      });
      for await (const event of migration) {
        if (event.type === 'progress' && event.round === cancelInRound)
          controller.abort(new Error('cancelled by the test'));
      }
      return await migration.report;
    } finally {
      await tracker.close();
    }
  },
  async arrival() {
    const arrival = await present(destination, 'destination').nextArrival();
    guest = arrival.guest;
    const verification = await arrival.verification.catch(() => undefined);
    return { mismatchedPages: verification?.mismatchedPages };
  },
  async look() {
    const { running } = present(guest, 'guest');
    return { running, selfCheck: await present(guest, 'guest').selfCheck() };
  },
  async holdings() {
    const [, kibibytes] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? [];
    return { residentBytes: Number(kibibytes) * 1024, descriptors: readdirSync('/proc/self/fd').length };
  },
  async closeGuest() {
    await guest?.close();
    guest = undefined;
  },
};

process.on('message', ({ id, name, params }: { id: number; name: HostRequestName; params: never }) => {
  handlers[name](params).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => {
      const { message, code } = error as { message?: string; code?: string };
      process.send?.({ id, error: { message: message ?? String(error), code } });
    },
  );
});
// Without its parent nobody would ever end it.
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
