import { randomBytes } from 'node:crypto';
import { PageSet } from '@godwit/page-set';
import {
  type Clock,
  GodwitError,
  type Guest,
  isGodwitError,
  type MigrationEvent,
  type MigrationReport,
  type RoundReport,
} from '@godwit/ports';
import { bootId } from './boot-id.ts';
import { judgeBudget } from './budget-verdict.ts';
import { type Settled, settleDoubt } from './doubt.ts';
import { PAGE_SIZE_BYTES_MAX, PROTOCOL_VERSION } from './frame.ts';
import { FrameLink } from './frame-link.ts';
import { type Admit, HANDSHAKE_BYTES_MAX, type Hello, parseAdmit, parseRefusal } from './handshake.ts';
import { hostFacts } from './host-facts.ts';
import { type ContextRecord, migrationContext } from './migration-context.ts';
import type { MigrationOptions } from './migration-options.ts';
import { monotonicClock } from './monotonic-clock.ts';
import type { Moved, SourcePump, Verification } from './pump.ts';
import { createSourcePump, sourceDigest } from './source-pump.ts';

const CODEC_CACHE_BYTES = 64 << 20;
const EPOCH = 1;

/** Guests whose migration is under way: a second one beside it could start a second copy. */
const underWay = new WeakSet<Guest>();

/**
 * The source's side of one migration, from the handshake to the report. Whatever fails before COMMIT leaves the guest
 * running here.
 */
export async function runSource(
  options: MigrationOptions,
  emit: (event: MigrationEvent) => void,
): Promise<MigrationReport> {
  const clock = options.clock ?? monotonicClock;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const signal = options.signal ?? new AbortController().signal;
  const { guest } = options;
  signal.throwIfAborted();
  if (!guest.running || underWay.has(guest)) {
    throw new GodwitError(
      'ERR_GODWIT_GUEST_STATE',
      guest.running
        ? 'a migration of this guest is under way'
        : 'the guest does not run here: it was moved, is in doubt, or was paused; where it may run here, resume it first',
    );
  }
  const { pageSizeBytes } = guest.memory;
  if (pageSizeBytes > PAGE_SIZE_BYTES_MAX) {
    throw new GodwitError(
      'ERR_GODWIT_PAGE_SIZE',
      `the guest has pages of ${pageSizeBytes} bytes; ${PAGE_SIZE_BYTES_MAX} is the most that can be sent`,
    );
  }
  underWay.add(guest);
  try {
    return await moveRunning(options, emit, clock, timeoutMs, signal);
  } finally {
    underWay.delete(guest);
  }
}

async function moveRunning(
  options: MigrationOptions,
  emit: (event: MigrationEvent) => void,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<MigrationReport> {
  const { guest, budget } = options;
  const startMs = clock.nowMs();
  const cpuBefore = process.cpuUsage();
  emit({ type: 'phase', phase: 'setup' });
  const encoder = options.codec?.createEncoder({
    pageSizeBytes: guest.memory.pageSizeBytes,
    cacheBytes: options.codecCacheBytes ?? CODEC_CACHE_BYTES,
  });
  // Neither waits for the other: the peer, the walk over the page tables.
  const counting = guest.memory.present(PageSet.empty(guest.memory.pageCount));
  counting.catch(() => {});
  const connecting = options.transport.connect(options.address, { timeoutMs, signal });
  const connection = await connecting.catch((error: unknown) => {
    encoder?.close();
    throw error;
  });
  let link = new FrameLink(connection, timeoutMs);
  const endHandshake = (): void => connection.interrupt();
  signal.addEventListener('abort', endHandshake);
  let pump: SourcePump | undefined;
  const cancel = (): void => {
    pump?.cancel();
  };
  let tracking = false;
  try {
    const session = randomBytes(16).toString('hex');
    const residentPages = await counting;
    const composition = { guest, tracker: options.tracker, scanner: options.scanner, encoder };
    const digest = options.verify === false ? 'none' : sourceDigest(composition, connection);
    const hello = helloOf(options, session, residentPages, digest);
    const admit = await shakeHands(link, hello, signal);
    signal.removeEventListener('abort', endHandshake);
    signal.throwIfAborted();
    pump = await createSourcePump({
      ...composition,
      link,
      sameClock: admit.bootId === hello.bootId,
      faults: options.injectedFaults ?? {},
    });
    signal.addEventListener('abort', cancel);

    const settle = (): Promise<Settled> =>
      settleDoubt({
        transport: options.transport,
        address: options.address,
        session,
        epoch: EPOCH,
        fence: options.fence,
        clock,
        timeoutMs,
        reconnectMs: options.reconnectMs ?? 10_000,
      });
    const goOnOver = async (next: FrameLink): Promise<void> => {
      await link.connection.close();
      link = next;
      pump?.relink(link);
    };
    const record: ContextRecord = { precopyWireBytes: 0 };
    const rounds: RoundReport[] = [];
    const context = migrationContext(
      {
        pump,
        clock,
        budget,
        signal,
        memory: guest.memory,
        encoding: encoder !== undefined,
        linkBytesPerSecond: options.linkBytesPerSecond,
        epoch: EPOCH,
        resolveDoubt: async (error) => {
          const settled = await settle();
          if (settled.fate === 'renounced') {
            await guest.resume().catch((cause: unknown) => {
              throw new GodwitError(
                'ERR_GODWIT_GUEST_LOST',
                'the destination renounced the guest, and it could not be resumed here',
                { cause },
              );
            });
            await guest.announce().catch(() => {});
            throw error;
          }
          if (settled.link === undefined) return undefined;
          await goOnOver(settled.link);
          return settled.startedAtNs;
        },
      },
      record,
    );
    const setUpMs = clock.nowMs();
    tracking = options.tracker !== undefined;
    try {
      for await (const event of options.strategy.run(context)) {
        if (event.type === 'round') rounds.push(event.round);
        emit(event);
      }
    } catch (error) {
      // Once the guest runs there, nothing that a strategy still throws makes it run here.
      if (record.moved === undefined) throw error;
    }
    signal.removeEventListener('abort', cancel);
    const { moved, switchedAtMs } = record;
    if (moved === undefined || switchedAtMs === undefined) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', `the strategy ${options.strategy.name} ended without a switchover`);
    }
    emit({ type: 'phase', phase: 'complete' });
    rounds.push(...approachRounds(rounds.length, moved));

    const counters = pump.counters();
    // The guest runs there: from here on nothing may reject, as if it were still here.
    const verification = await verify(pump, hello.digest !== 'none', clock, emit, async () => {
      const settled = await settle();
      if (settled.fate !== 'started' || settled.link === undefined) return false;
      await goOnOver(settled.link);
      return true;
    });
    // Cleaning up is deferred to here, behind the switchover and what the outside still sent.
    tracking = false;
    if (options.tracker !== undefined) await pump.stopTracking().catch(() => {});
    const cpu = process.cpuUsage(cpuBefore);
    const report = reportOf({
      options,
      residentBytes: residentPages * guest.memory.pageSizeBytes,
      totalMs: switchedAtMs - startMs,
      setupMs: setUpMs - startMs,
      rounds,
      record: { ...record, moved },
      counters,
      verification,
      sourceCpuSeconds: (cpu.user + cpu.system) / 1e6,
      backends: { pump: pump.backend, ...(encoder && { codec: options.codec?.backend ?? 'none' }) },
    });
    emit({ type: 'phase', phase: 'done' });
    return report;
  } catch (error) {
    if (tracking && pump !== undefined) await pump.stopTracking().catch(() => {});
    // A cancellation ends transfers underneath; what the caller gave as its reason is what the caller gets.
    if (
      signal.aborted &&
      !isGodwitError(error, 'ERR_GODWIT_GUEST_LOST') &&
      !isGodwitError(error, 'ERR_GODWIT_IN_DOUBT')
    ) {
      throw signal.reason;
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', endHandshake);
    signal.removeEventListener('abort', cancel);
    pump?.close();
    encoder?.close();
    await link.connection.close();
  }
}

function helloOf(options: MigrationOptions, session: string, residentPages: number, digest: string): Hello {
  const { guest, codec, token } = options;
  return {
    protocol: PROTOCOL_VERSION,
    session,
    epoch: EPOCH,
    ...(token !== undefined && { token }),
    bootId: bootId(),
    pageSizeBytes: guest.memory.pageSizeBytes,
    pageCount: guest.memory.pageCount,
    residentBytes: residentPages * guest.memory.pageSizeBytes,
    stateBytesMax: guest.stateBytesMax,
    digest,
    codec: codec === undefined ? null : { name: codec.name, code: codec.code },
    guest: guest.describe(),
  };
}

async function shakeHands(link: FrameLink, hello: Hello, signal: AbortSignal): Promise<Admit> {
  await link.sendJson('HELLO', hello);
  const answer = await link.receive(HANDSHAKE_BYTES_MAX);
  signal.throwIfAborted();
  if (answer.name === 'REFUSE') throw parseRefusal(answer.body);
  if (answer.name !== 'ADMIT') {
    throw new GodwitError('ERR_GODWIT_PROTOCOL', `the destination answered HELLO with ${answer.name}`);
  }
  return parseAdmit(answer.body);
}

interface Verified {
  readonly ms: number;
  readonly verification: Verification | undefined;
  /** Why there is none. */
  readonly error: unknown;
}

/** Compares if that was agreed on; if the connection breaks, once more over the one that `reconnect` finds. */
async function verify(
  pump: SourcePump,
  agreed: boolean,
  clock: { nowMs(): number },
  emit: (event: MigrationEvent) => void,
  reconnect: () => Promise<boolean>,
): Promise<Verified | undefined> {
  if (!agreed) {
    await pump.finish().catch(() => {});
    return undefined;
  }
  emit({ type: 'phase', phase: 'verify' });
  const startMs = clock.nowMs();
  const compare = async (): Promise<Verified> => {
    const verification = await pump.verify();
    return { verification, error: undefined, ms: clock.nowMs() - startMs };
  };
  const unverified = (error: unknown): Verified => ({ verification: undefined, error, ms: clock.nowMs() - startMs });
  return compare().catch(async (error: unknown) => {
    const isCut = isGodwitError(error, 'ERR_GODWIT_CONNECTION_CLOSED');
    if (!isCut || !(await reconnect().catch(() => false))) return unverified(error);
    return compare().catch(unverified);
  });
}

/** The turns just before the stop are rounds like the others, but that no strategy decided on each. */
function approachRounds(firstRound: number, { approach, pages: lastPages }: Moved): RoundReport[] {
  return approach.map(({ pages, bytes, ms }, index) => {
    const dirtyPages = approach[index + 1]?.pages ?? lastPages;
    return { round: firstRound + index, pages, bytes, ms, dirtyPages };
  });
}

interface ReportParts {
  readonly options: MigrationOptions;
  readonly residentBytes: number;
  readonly totalMs: number;
  readonly setupMs: number;
  readonly rounds: readonly RoundReport[];
  readonly record: ContextRecord & Required<Pick<ContextRecord, 'moved'>>;
  readonly counters: ReturnType<SourcePump['counters']>;
  readonly verification: Verified | undefined;
  readonly sourceCpuSeconds: number;
  readonly backends: Readonly<Record<string, string>>;
}

function reportOf(parts: ReportParts): MigrationReport {
  const { options, record, counters, totalMs, setupMs, rounds, verification } = parts;
  const { guest } = options;
  const { moved } = record;
  const description = guest.describe();
  const transferMs = Math.max(totalMs - setupMs, 1e-6);
  const dirtyPages = rounds.reduce((sum, round) => sum + round.dirtyPages, 0);
  const roundsMs = rounds.reduce((sum, round) => sum + round.ms, 0);
  const firstRoundPages = rounds[0]?.pages ?? moved.pages;
  const sentPages = counters.rawPages + counters.zeroPages + counters.deltaPages;
  const deltaHeaderBytes = counters.deltaPages * 8;
  return {
    strategy: options.strategy.name,
    transport: options.transport.name,
    guest: {
      kind: guest.kind,
      memoryBytes: description.memoryBytes,
      residentBytes: parts.residentBytes,
      workload: description.workload,
    },
    totalMs,
    setupMs,
    blackoutMs: moved.blackoutMs,
    downtimeMs: moved.blackoutMs,
    blackoutPhases: moved.blackoutPhases,
    rounds,
    bytes: {
      wire: counters.wireBytes,
      zero: counters.zeroBytes,
      raw: counters.rawPages * guest.memory.pageSizeBytes,
      xbzrle: counters.deltaBytes + deltaHeaderBytes,
      precopy: record.precopyWireBytes + moved.approach.reduce((sum, { bytes }) => sum + bytes, 0),
      downtime: moved.wireBytes,
      postcopy: 0,
    },
    pages: {
      zero: counters.zeroPages,
      raw: counters.rawPages,
      delta: counters.deltaPages,
      unchanged: counters.unchangedPages,
      resent: Math.max(0, sentPages - firstRoundPages),
      faulted: 0,
      prefetched: 0,
    },
    throughputMbps: (counters.wireBytes * 8) / 1e3 / transferMs,
    dirtyPagesPerSecond: roundsMs > 0 ? (dirtyPages / roundsMs) * 1000 : 0,
    cpuSeconds: { source: parts.sourceCpuSeconds, destination: moved.destinationCpuSeconds },
    disturbed: false,
    ...(verification && {
      verified: verification.verification?.mismatchedPages === 0,
      verifyMs: verification.ms,
      ...(verification.verification === undefined
        ? { verifyError: inWords(verification.error) }
        : { mismatchedPages: verification.verification.mismatchedPages }),
    }),
    budget: judgeBudget(options.budget, { totalMs, downtimeMs: moved.blackoutMs }),
    backends: {
      guest: guest.backend,
      transport: options.transport.backend,
      scanner: options.scanner.backend,
      ...(options.tracker && { tracker: `${options.tracker.name} (${options.tracker.backend})` }),
      ...parts.backends,
    },
    host: hostFacts(),
  };
}

function inWords(error: unknown): string {
  if (isGodwitError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
