/**
 * Moves a stranger's running memory from this process to another one over TCP.
 *
 *     node --import tsx src/two-processes.ts own-mapping
 *     node --import tsx src/two-processes.ts shared-array-buffer
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createDirtyTracker } from '@godwit/dirty-tracker';
import { listenForGuests, migrate } from '@godwit/migrator';
import type { Guest, GuestDescription, MigrationReport, SelfCheck } from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { tcp } from '@godwit/transport-tcp';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { ownMappingGuest } from './own-mapping.ts';
import { sharedArrayBufferGuest } from './shared-array-buffer.ts';
import { StampingProgram } from './stamping.ts';

const MEMORY_BYTES = 4 * 2 ** 20;

/** Makes an empty guest of a kind. */
async function createGuest({ kind }: Pick<GuestDescription, 'kind'>): Promise<Guest> {
  if (kind === 'own-mapping') return ownMappingGuest(await StampingProgram.load());
  if (kind === 'shared-array-buffer') return sharedArrayBufferGuest(new SharedArrayBuffer(MEMORY_BYTES));
  throw new TypeError(`no guest of the kind ${kind}; there are own-mapping and shared-array-buffer`);
}

/** Resolves when the guest has written its memory since the call. */
async function progress({ memory: { bytes = new Uint8Array() } }: Guest): Promise<void> {
  const before = bytes.slice();
  while (Buffer.compare(before, bytes) === 0) await new Promise((resolve) => setImmediate(resolve));
}

/** The source: runs a guest and moves it to the destination that listens at `address`. */
async function send(kind: string, address: string): Promise<MigrationReport> {
  await using guest = await createGuest({ kind });
  await guest.resume();
  await progress(guest);
  return await migrate({
    guest,
    tracker: createDirtyTracker(guest.memory),
    scanner: createZeroPageScanner(),
    strategy: preCopy(),
    transport: tcp(),
    address,
    budget: { totalMs: 2000, downtimeMs: 50 },
  }).report;
}

/** The destination: takes one guest, lets it run on, and tells what it found in its memory. */
async function receive(tellAddress: (address: string) => void): Promise<SelfCheck> {
  await using destination = await listenForGuests({ transport: tcp(), address: 'tcp://127.0.0.1:0', createGuest });
  tellAddress(destination.address);
  const { guest, verification } = await destination.nextArrival();
  await verification;
  await progress(guest);
  await guest.pause();
  const check = await guest.selfCheck();
  await guest.close();
  return check;
}

const tell = (message: unknown): void => {
  process.send?.(message);
};

const [, , kind = 'own-mapping'] = process.argv;
if (kind === 'receive') {
  // Without its parent nobody would ever end it.
  process.on('disconnect', () => process.exit());
  tell(await receive(tell));
} else {
  const destination = fork(fileURLToPath(import.meta.url), ['receive']);
  const [address] = await once(destination, 'message');
  const arrived = once(destination, 'message');
  const { verified, totalMs, blackoutMs, backends } = await send(kind, address);
  const [selfCheck] = await arrived;
  destination.disconnect();
  console.log(JSON.stringify({ kind, verified, selfCheck, totalMs, blackoutMs, backends }, undefined, 2));
}
