import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isGodwitError } from '@godwit/ports';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createMirror,
  type Mirror,
  nativeIsLoaded,
  spawnWire,
  type WireOptions,
  type WireProcess,
} from '../src/index.ts';

const MACS = ['02:00:00:00:01:00', '02:00:00:00:01:01'] as const;
// Large rings and a long grace, so that a machine that stands still for a moment loses nothing by that.
const OPTIONS: WireOptions = {
  hostCount: 2,
  guestMacs: MACS,
  framesPerSecond: 20_000,
  ringBytes: 4 * 1024 * 1024,
  graceMilliseconds: 30_000,
};

const open: { close(): void | Promise<void> }[] = [];

async function startWire(options: Partial<WireOptions> = {}): Promise<WireProcess> {
  const wire = await spawnWire({ ...OPTIONS, ...options });
  open.push(wire);
  return wire;
}

function plugIn(wire: WireProcess, host: number): Mirror {
  const mirror = createMirror(wire.cablePaths[host] ?? '');
  open.push(mirror);
  return mirror;
}

/** Asks until it is so; every question goes to another process and back, so nothing spins. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

async function guestIsAt(wire: WireProcess, host: number): Promise<void> {
  await until(async () => {
    const guest = (await wire.locations()).filter((known) => MACS.some((mac) => mac === known.mac));
    return guest.length === 2 && guest.every((known) => known.host === host);
  });
}

async function returnedFrames(wire: WireProcess): Promise<number> {
  return (await wire.totals()).flows.reduce((total, flow) => total + flow.returned, 0);
}

/** Waits until so many more frames have come back. */
async function framesReturn(wire: WireProcess, count: number): Promise<void> {
  const goal = (await returnedFrames(wire)) + count;
  await until(async () => (await returnedFrames(wire)) >= goal);
}

/** Waits until a whole turn of the wire, which takes frames in before it sends some, brings nothing back. */
async function framesStop(wire: WireProcess): Promise<void> {
  let returnedBefore = -1;
  let offeredBefore = -1;
  await until(async () => {
    const { flows } = await wire.totals();
    const returned = flows.reduce((sum, flow) => sum + flow.returned, 0);
    const offered = flows.reduce((sum, flow) => sum + flow.offered, 0);
    const isOver = returned === returnedBefore && offered > offeredBefore;
    if (returned !== returnedBefore) [returnedBefore, offeredBefore] = [returned, offered];
    return isOver;
  });
}

afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

describe('options', () => {
  it('refuses what cannot be', async () => {
    await expect(spawnWire({ ...OPTIONS, hostCount: 0 })).rejects.toThrow(RangeError);
    await expect(spawnWire({ ...OPTIONS, framesPerSecond: -1 })).rejects.toThrow(RangeError);
    await expect(spawnWire({ ...OPTIONS, ringBytes: 5000 })).rejects.toThrow(RangeError);
    await expect(spawnWire({ ...OPTIONS, guestMacs: ['02:00', MACS[1]] })).rejects.toThrow(TypeError);
  });
});

describe.skipIf(!nativeIsLoaded)(`the wire${nativeIsLoaded ? '' : ' (its native module is not built)'}`, () => {
  it('gets back everything it offers, once, in order and whole', async () => {
    const wire = await startWire();
    plugIn(wire, 0).announce(MACS);
    await guestIsAt(wire, 0);
    const startNs = await wire.beginWindow();
    await framesReturn(wire, 10_000);
    const report = await wire.endWindow();
    expect(report.startNs).toBe(startNs);
    expect(report.endNs).toBeGreaterThan(startNs);
    expect(report.offered).toBeGreaterThan(0);
    expect(report).toMatchObject({ returned: report.offered, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
    expect(report.flows).toHaveLength(2);
    for (const flow of report.flows) expect(flow.offered).toBeGreaterThan(0);
    expect(report.latencyP50Ns).toBeGreaterThan(0);
    expect(report.latencyMaxNs).toBeGreaterThanOrEqual(report.latencyP99Ns);
    expect((await wire.totals()).damagedHosts).toEqual([]);
  });

  it('moves the traffic with an announcement and loses nothing that is forwarded', async () => {
    const wire = await startWire();
    const source = plugIn(wire, 0);
    source.announce(MACS);
    await guestIsAt(wire, 0);
    await wire.beginWindow();
    await framesReturn(wire, 1_000);
    source.hold();
    const destination = plugIn(wire, 1);
    source.forwardWaiting(destination);
    destination.announce(MACS);
    await guestIsAt(wire, 1);
    source.forwardWaiting(destination);
    source.close();
    await framesReturn(wire, 1_000);
    const report = await wire.endWindow();
    expect(report).toMatchObject({ returned: report.offered, lost: 0, duplicated: 0, corrupted: 0 });
    expect(destination.bouncedFrames()).toBeGreaterThanOrEqual(1_000);
  });

  it('sees a stall in the longest gap', async () => {
    const wire = await startWire();
    const mirror = plugIn(wire, 0);
    mirror.announce(MACS);
    await guestIsAt(wire, 0);
    const startNs = await wire.beginWindow();
    await framesReturn(wire, 500);
    mirror.hold();
    await framesStop(wire);
    const heldNs = process.hrtime.bigint();
    const offered = async (): Promise<number> =>
      (await wire.totals()).flows.reduce((sum, flow) => sum + flow.offered, 0);
    const goal = (await offered()) + 2_000;
    await until(async () => (await offered()) >= goal);
    const stallMs = Number(process.hrtime.bigint() - heldNs) / 1e6;
    mirror.release();
    await framesReturn(wire, 500);
    const report = await wire.endWindow();
    expect(report.longestGapMs).toBeGreaterThanOrEqual(stallMs);
    expect(report.longestGapStartNs).toBeGreaterThanOrEqual(startNs);
    expect(report).toMatchObject({ returned: report.offered, lost: 0, duplicated: 0, reordered: 0, controlGapMs: 0 });
    await wire.beginWindow();
    expect((await wire.endWindow(report)).controlGapMs).toBe(report.longestGapMs);
  });

  it('counts exactly what was dropped, duplicated, damaged and swapped', async () => {
    const wire = await startWire({ graceMilliseconds: 1_000 });
    const mirror = plugIn(wire, 0);
    mirror.announce(MACS);
    await guestIsAt(wire, 0);
    await wire.beginWindow();
    await framesReturn(wire, 200);
    mirror.arrange({ dropFrames: 7, duplicateFrames: 5, corruptFrames: 3, swapFrames: 2 });
    await until(async () => (await returnedFrames(wire)) > 0 && mirror.isMischiefDone());
    await framesReturn(wire, 2_000);
    const report = await wire.endWindow();
    expect(report).toMatchObject({ lost: 10, duplicated: 5, corrupted: 3, reordered: 2, forgotten: 0 });
    expect(report.returned).toBe(report.offered - 10);
  });

  it('says when frames find no host or a full ring', async () => {
    const wire = await startWire({ ringBytes: 4096, graceMilliseconds: 0 });
    const mirror = plugIn(wire, 0);
    mirror.announce(MACS);
    await guestIsAt(wire, 0);
    await framesReturn(wire, 100);
    mirror.hold();
    await framesStop(wire);
    await wire.beginWindow();
    await until(async () => (await wire.totals()).flows.every((flow) => flow.droppedAtRing > 100));
    mirror.close();
    await until(async () => (await wire.totals()).flows.every((flow) => flow.droppedWithoutLink > 100));
    const report = await wire.endWindow();
    expect(report.returned).toBe(0);
    expect(report.lost).toBe(report.offered);
    expect(report.droppedAtRing).toBeGreaterThan(100);
    expect(report.droppedWithoutLink).toBeGreaterThan(100);
  });

  it('changes its rate and takes one window at a time', async () => {
    const wire = await startWire({ framesPerSecond: 0 });
    await expect(wire.endWindow()).rejects.toThrow('no window is open');
    await wire.beginWindow();
    await expect(wire.beginWindow()).rejects.toThrow('a window is open already');
    expect(await wire.endWindow()).toMatchObject({ offered: 0, returned: 0, lost: 0 });
    plugIn(wire, 1).announce(MACS);
    await guestIsAt(wire, 1);
    await expect(wire.setRate(Number.NaN)).rejects.toThrow(RangeError);
    await wire.setRate(50_000);
    await framesReturn(wire, 1_000);
  });

  it('removes its cables and refuses requests when it is closed', async () => {
    const wire = await startWire();
    expect(wire.cablePaths.map((path) => existsSync(path))).toEqual([true, true]);
    await wire.close();
    expect(wire.cablePaths.map((path) => existsSync(path))).toEqual([false, false]);
    const refusal = await wire.beginWindow().catch((error: unknown) => error);
    expect(isGodwitError(refusal, 'ERR_GODWIT_CONNECTION_CLOSED')).toBe(true);
    await wire.close();
    const noCable = (): Mirror => createMirror(wire.cablePaths[0] ?? '');
    expect(noCable).toThrow(/opening the cable/);
  });

  it('tells why a directory or a processor cannot be used', async () => {
    const noDirectory = await spawnWire({ ...OPTIONS, directory: '/dev/shm/godwit-no-such' }).catch(
      (error: unknown) => error,
    );
    expect(isGodwitError(noDirectory, 'ERR_GODWIT_NATIVE_FAILED')).toBe(true);
    const isRoot = process.getuid?.() === 0;
    const noProcessor = await spawnWire({ ...OPTIONS, cpu: 1023 }).catch((error: unknown) => error);
    expect(isGodwitError(noProcessor, 'ERR_GODWIT_NATIVE_FAILED')).toBe(true);
    expect((await startWire({ cpu: 0, realTime: isRoot })).backend).toBe('native');
  });

  it('ends with its parent, and takes its cables along', async () => {
    const parent = fork(fileURLToPath(new URL('./orphaning-parent.mjs', import.meta.url)), [], { execArgv: [] });
    const [orphan] = (await once(parent, 'message')) as [{ processId: number; cablePath: string }];
    expect(existsSync(orphan.cablePath)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until(async () => {
      await new Promise(setImmediate);
      return !existsSync(orphan.cablePath);
    });
  });
});
