import { setTimeout as delay } from 'node:timers/promises';
import { judgeBudget } from '@godwit/migrator';
import { GodwitError, isGodwitError, type MigrationEvent, type MigrationReport } from '@godwit/ports';
import type { WindowReport, WireProcess } from '@godwit/wire';
import type { BenchRun } from './bench-document.ts';
import { GUEST_KINDS, type GuestPlace } from './guest-kinds.ts';
import type { HostLink } from './host-commands.ts';
import { HostProcess } from './host-process.ts';
import { INJECTED_FAULTS } from './injected-faults.ts';
import { quietWindow, startOutsideWorld, untilTrafficFlows } from './outside-world.ts';
import { formatPlacement } from './placement.ts';
import { peakResidentBytes } from './process-memory.ts';
import { movedBytes, type Scenario } from './scenario.ts';
import { Teardown } from './teardown.ts';
import { TRANSPORTS } from './transports.ts';
import { UsageError } from './usage-error.ts';
import { type WarmMemory, warmMemory } from './warm-memory.ts';

/** How long a fresh guest runs before anything is measured, and an arrived one before its self-check is read. */
const RUN_ON_MS = 200;
/** What a link without a cap is taken for when the length of a window is chosen. */
const UNCAPPED_BYTES_PER_SECOND = 2e9;
const WINDOW_MS_MIN = 300;
const WINDOW_MS_MAX = 5000;
/** What a repetition is told besides the scenario. */
export interface RepetitionOptions {
  readonly run: number;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly onStage: (stage: string) => void;
  readonly onEvent: (event: MigrationEvent) => void;
}

/**
 * One migration under load, from nothing to nothing: fresh hosts, a fresh outside world, steady state, a control window, a
 * window of equal length with the migration in it, and a look at the guest after it ran on. Nothing is left behind.
 */
export async function repetition(scenario: Scenario, options: RepetitionOptions): Promise<BenchRun> {
  await using parts = new Teardown();
  const { signal, onStage } = options;
  const { placement, guest, guestKind } = scenario;
  signal.throwIfAborted();

  onStage('starting');
  const wire = scenario.offeredFramesPerSecond > 0 ? await startWire(scenario, parts) : undefined;
  const source = await startHost('source', placement.source, parts);
  const destination = TRANSPORTS[scenario.transport]?.betweenProcesses
    ? await startHost('destination', placement.destination, parts)
    : source;
  // Whatever is under way ends with its process; what waits for it then hears of it.
  const endHosts = (): void => {
    void source.close();
    void destination.close();
  };
  signal.addEventListener('abort', endHosts);
  parts.defer(() => signal.removeEventListener('abort', endHosts));
  signal.throwIfAborted();
  source.onEvent(options.onEvent);

  onStage('filling memory');
  const place = (host: number): GuestPlace => guestPlace(scenario, wire?.cablePaths[host]);
  await source.request('start', { kind: guestKind, options: guest, place: place(0) }).catch((error: unknown) => {
    // Only the guest itself knows all that does not go together.
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  });
  onStage('reaching a steady state');
  await (wire === undefined ? delay(RUN_ON_MS, undefined, { signal }) : untilTrafficFlows(wire, 0, signal));
  const warm = scenario.warm ? await heldMemory(scenario, parts) : undefined;
  const link = hostLink(scenario);
  const { address } = await destination.request('listen', { kind: guestKind, place: place(1), link });

  const windowMs = windowLengthMs(scenario);
  if (wire !== undefined) onStage('control window');
  const control = wire && (await quietWindow(wire, windowMs, signal));
  await warm?.release();

  onStage('migrating');
  const { strategy, order, chunkMs, tracking, budget, verify } = scenario;
  const rounds = { ...(order !== undefined && { order }), ...(chunkMs !== undefined && { chunkMs }) };
  const beganMs = performance.now();
  await wire?.beginWindow();
  const migrated = await source
    .request('migrate', { address, link, strategy, ...rounds, ...(tracking && { tracking }), budget, verify })
    .catch(async (error: unknown) => {
      throw signal.aborted ? error : await withBothSides(error, destination);
    });
  await destination.request('arrival', null);
  const leftMs = windowMs - (performance.now() - beganMs);
  if (wire !== undefined && leftMs > 0) await delay(leftMs, undefined, { signal });
  const lengthMs = performance.now() - beganMs;
  const packets = await wire?.endWindow(control);
  // A migration that outlasted its window is given as long a control, the rest of it at the destination.
  const rest = wire && lengthMs - windowMs > 1 ? await quietWindow(wire, lengthMs - windowMs, signal) : undefined;

  onStage('letting the guest run on');
  await delay(RUN_ON_MS, undefined, { signal });
  const seen = await destination.request('inspect', { slot: 'arrived' });
  const sourceGuest = await source.request('inspect', { slot: 'made' });
  const cacheBytes = scenario.xbzrle ? scenario.xbzrleCacheBytes : 0;
  const overheads = await Promise.all([
    overheadBytes(source, sourceGuest.residentBytes + cacheBytes),
    overheadBytes(destination, seen.residentBytes),
  ]);
  return benchRun(scenario, options, {
    migrated,
    packets: packets && { ...packets, controlGapMs: Math.max(packets.controlGapMs, rest?.longestGapMs ?? 0) },
    selfCheck: seen.selfCheck,
    overheads: source === destination ? [undefined, undefined] : overheads,
    warmed: warm !== undefined,
  });
}

interface Findings {
  readonly migrated: MigrationReport;
  readonly packets: WindowReport | undefined;
  readonly selfCheck: BenchRun['selfCheck'];
  readonly overheads: readonly (number | undefined)[];
  readonly warmed: boolean;
}

function benchRun(scenario: Scenario, { run, attempt }: RepetitionOptions, findings: Findings): BenchRun {
  const { migrated, packets, selfCheck, warmed } = findings;
  const [source, destination] = findings.overheads;
  const { packets: _, ...report } = migrated;
  const downtimeMs = packets?.longestGapMs ?? migrated.downtimeMs;
  return {
    run,
    attempt,
    ...report,
    downtimeMs,
    ...(packets && { packets }),
    disturbed: packets !== undefined && packets.controlGapMs > scenario.budget.downtimeMs / 2,
    selfCheck,
    ...(source !== undefined && destination !== undefined && { hostOverheadBytes: { source, destination } }),
    warmed,
    budget: judgeBudget(scenario.budget, { totalMs: migrated.totalMs, downtimeMs }),
    host: { ...migrated.host, placement: formatPlacement(scenario.placement) },
  };
}

async function startWire(scenario: Scenario, parts: Teardown): Promise<WireProcess> {
  const wire = await startOutsideWorld(scenario.offeredFramesPerSecond, scenario.placement.wire);
  parts.defer(() => wire.close());
  return wire;
}

async function startHost(name: string, cpu: number | undefined, parts: Teardown): Promise<HostProcess> {
  const host = await HostProcess.spawn(name, cpu);
  parts.defer(() => host.close());
  return host;
}

async function heldMemory(scenario: Scenario, parts: Teardown): Promise<WarmMemory> {
  const warm = await warmMemory(scenario);
  parts.defer(() => warm.release());
  return warm;
}

function guestPlace({ placement, guest, tracking }: Scenario, cablePath: string | undefined): GuestPlace {
  const { vcpu } = placement;
  return {
    ...(cablePath !== undefined && { cablePath }),
    ...(tracking !== undefined && { tracking }),
    ...(vcpu !== undefined && { cpus: Array.from({ length: guest.vcpuCount }, () => vcpu) }),
  };
}

function hostLink(scenario: Scenario): HostLink {
  const { guestKind, transport, linkBytesPerSecond, xbzrle, xbzrleCacheBytes, injectedFault } = scenario;
  const faults = injectedFault === undefined ? undefined : INJECTED_FAULTS[injectedFault];
  return {
    transport,
    driver: GUEST_KINDS[guestKind]?.capsules === true ? 'native' : 'typescript',
    ...(linkBytesPerSecond !== undefined && { linkBytesPerSecond }),
    xbzrle,
    xbzrleCacheBytes,
    ...(faults && { injectedFaults: faults }),
  };
}

/** Long enough for the migration and what follows it, were all to go well. */
function windowLengthMs(scenario: Scenario): number {
  const bytesPerSecond = scenario.linkBytesPerSecond ?? UNCAPPED_BYTES_PER_SECOND;
  const expectedMs = (movedBytes(scenario) / bytesPerSecond) * 2000 + WINDOW_MS_MIN;
  return Math.min(expectedMs, WINDOW_MS_MAX);
}

/** The source often sees no more than that the connection ended; the destination knows why. */
async function withBothSides(error: unknown, destination: HostProcess): Promise<unknown> {
  const refusal = await destination.request('refusal', null).catch(() => null);
  if (refusal === null || !(error instanceof Error) || error.message.includes(refusal)) return error;
  const message = `${error.message}; destination: ${refusal}`;
  return isGodwitError(error)
    ? new GodwitError(error.code, message, { cause: error })
    : new Error(message, { cause: error });
}

async function overheadBytes(host: HostProcess, explainedBytes: number): Promise<number | undefined> {
  const peakBytes = await peakResidentBytes(host.processId);
  return peakBytes === undefined ? undefined : Math.max(0, peakBytes - explainedBytes);
}
