import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_MACS } from '@godwit/guest-kvm';
import { GodwitError } from '@godwit/ports';
import { spawnWire, type WindowReport, type WireProcess } from '@godwit/wire';

const STEADY_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 40;
/** Looks in a row at which traffic flowed. */
const STEADY_LOOKS = 3;

/** Starts the outside world with a cable to both hosts. */
export function startOutsideWorld(framesPerSecond: number, cpu: number | undefined): Promise<WireProcess> {
  return spawnWire({ hostCount: 2, guestMacs: DEFAULT_MACS, framesPerSecond, ...(cpu !== undefined && { cpu }) });
}

/**
 * Waits until both of the guest's ports are known to be at a host and frames keep coming back from both.
 * @throws GodwitError `ERR_GODWIT_PEER_TIMEOUT` after half a minute
 */
export async function untilTrafficFlows(wire: WireProcess, host: number, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + STEADY_WITHIN_MS;
  let before: readonly number[] = [];
  for (let steady = 0; steady < STEADY_LOOKS; ) {
    if (performance.now() > deadlineMs) {
      throw new GodwitError('ERR_GODWIT_PEER_TIMEOUT', `frames do not come back from the guest at host ${host}`);
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
    const [locations, { flows }] = await Promise.all([wire.locations(), wire.totals()]);
    const returned = flows.map((flow) => flow.returned);
    const isThere = locations.filter((location) => location.host === host).length >= 2;
    const flow = isThere && returned.every((count, index) => count > (before[index] ?? count));
    steady = flow ? steady + 1 : 0;
    before = returned;
  }
}

/** A window in which nothing happens but the traffic. */
export async function quietWindow(wire: WireProcess, windowMs: number, signal: AbortSignal): Promise<WindowReport> {
  await wire.beginWindow();
  await delay(windowMs, undefined, { signal });
  return wire.endWindow();
}
