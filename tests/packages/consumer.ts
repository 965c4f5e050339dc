/**
 * What a TypeScript user writes. The consumer test compiles it against the packed packages, as ESM, as CJS and for a
 * bundler; the declarations themselves are checked with it.
 */
import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { createDirtyTracker, recencyOrder } from '@godwit/dirty-tracker';
import { arenaAvailability, createArenaGuest } from '@godwit/guest-arena';
import { createKvmGuest, kvmAvailability } from '@godwit/guest-kvm';
import { createPortableGuest, restorePortableGuest } from '@godwit/guest-portable';
import { listenForGuests, migrate } from '@godwit/migrator';
import { availableIsas, type Isa, type PageRun, PageSet, type PageSetOptions } from '@godwit/page-set';
import {
  type Backend,
  type DirtyTracker,
  type ErrorCode,
  GodwitError,
  type Guest,
  isGodwitError,
  type MigrationReport,
  type PageBitmap,
  type PageRuns,
  type Transport,
  type ZeroPageScanner,
} from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { memoryTransport } from '@godwit/transport-memory';
import { tcp } from '@godwit/transport-tcp';
import { createMirror, spawnWire } from '@godwit/wire';
import { createZeroPageScanner } from '@godwit/zeropage-simd';

export function pages(): readonly PageRun[] {
  const options: PageSetOptions = { backend: 'typescript' };
  const set: PageSet = PageSet.empty(64, options)
    .addRun(3, 4)
    .or(PageSet.fromPages(64, [1]));
  const bitmap: PageBitmap = PageSet.fromBytes(set.toBytes(), { pageCountMax: 64 });
  const runs: PageRuns = PageSet.of(bitmap).toRuns();
  const backend: Backend = set.backend;
  const isas: readonly Isa[] = availableIsas();
  const next: PageRun | undefined = set.nextRun();
  console.log(backend, isas, runs.length);
  // @ts-expect-error: there is no such backend
  PageSet.empty(64, { backend: 'wasm' });
  return next === undefined ? [] : [next, ...set.runs()];
}

export function zeroPages(memory: Uint8Array): number {
  const scanner: ZeroPageScanner = createZeroPageScanner({ backend: 'typescript' });
  return scanner.scan(memory, 4096, PageSet.empty(memory.length / 4096));
}

export function delta(old: Uint8Array, page: Uint8Array): number {
  const encoder = createXbzrleCodec().createEncoder({ pageSizeBytes: 4096, cacheBytes: 2 ** 20 });
  const out = new Uint8Array(4096);
  encoder.encode(0, old, out);
  const { outcome, lengthBytes } = encoder.encode(0, page, out);
  return outcome === 'delta' ? lengthBytes : 0;
}

export async function dirtyPages(guest: Guest): Promise<PageRuns> {
  const tracker: DirtyTracker = createDirtyTracker(guest.memory);
  const dirty = PageSet.empty(tracker.pageCount);
  await tracker.start();
  await tracker.collect(dirty);
  await tracker.close();
  return recencyOrder().arrange(dirty);
}

export async function guests(): Promise<Guest[]> {
  const made: Guest[] = [await createPortableGuest({ memoryBytes: 2 ** 22, workload: { name: 'idle' } })];
  if (arenaAvailability().available) made.push(await createArenaGuest({ memoryBytes: 2 ** 26 }));
  if (kvmAvailability().available) made.push(await createKvmGuest({ memoryBytes: 2 ** 26 }));
  return made;
}

export async function move(guest: Guest, signal: AbortSignal): Promise<MigrationReport> {
  const transports: Transport[] = [tcp({ linkBytesPerSecond: 1e9 }), memoryTransport()];
  const [transport = tcp()] = transports;
  const destination = await listenForGuests({
    transport,
    address: 'tcp://127.0.0.1:0',
    createGuest: ({ config }) => restorePortableGuest(config),
  });
  const tracker = createDirtyTracker(guest.memory);
  const scanner = createZeroPageScanner();
  const parts = { guest, tracker, scanner, transport, strategy: preCopy(), signal };
  const migration = migrate({ ...parts, address: destination.address, budget: { totalMs: 2000, downtimeMs: 10 } });
  for await (const event of migration) if (event.type === 'progress') console.log(event.remainingBytes);
  return migration.report;
}

export async function packets(guestMacs: readonly [string, string]): Promise<number> {
  const wire = await spawnWire({ hostCount: 1, guestMacs, framesPerSecond: 1000 });
  const mirror = createMirror(wire.cablePaths[0] ?? '');
  await wire.beginWindow();
  const { lost } = await wire.endWindow();
  mirror.close();
  await wire.close();
  return lost;
}

export function codeOf(error: unknown): ErrorCode | undefined {
  if (isGodwitError(error, 'ERR_GODWIT_CLOSED')) return error.code;
  return error instanceof GodwitError ? error.code : undefined;
}
