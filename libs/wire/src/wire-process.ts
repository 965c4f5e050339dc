import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GodwitError } from '@godwit/ports';
import { RequestChannel } from './request-channel.ts';
import {
  type NativeWindowReport,
  type WindowReport,
  type WireLocation,
  type WireTotals,
  windowReport,
} from './window-report.ts';
import { checkRate, completeWireOptions, type WireOptions } from './wire-options.ts';

/** The outside world, running in a process of its own. */
export interface WireProcess extends AsyncDisposable {
  /** The cables' files, one for each host: what a host is given. */
  readonly cablePaths: readonly string[];
  readonly processId: number;
  /** Which implementation runs; there is only this one. */
  readonly backend: 'native';
  /** Resolves when the process is gone, for whatever reason. */
  readonly ended: Promise<void>;
  /**
   * Opens a measuring window and gives its begin in nanoseconds of the monotonic clock. Frames belong to the window in
   * which they are offered; gaps to the one in which they pass. One window at a time.
   */
  beginWindow(): Promise<number>;
  /**
   * Ends the window and reports it once all its frames are back, or the grace for them is over.
   * @param control - the window of equal length without a migration whose gap goes into `controlGapMs` (0 without it)
   */
  endWindow(control?: WindowReport): Promise<WindowReport>;
  /** Counts since the start. */
  totals(): Promise<WireTotals>;
  /** At which host each hardware address lives. */
  locations(): Promise<readonly WireLocation[]>;
  /** Another rate, in frames a second over both flows. */
  setRate(framesPerSecond: number): Promise<void>;
  /** Stops the traffic, removes the cables, ends the process. */
  close(): Promise<void>;
}

// Plain JavaScript beside `src` and `dist` alike, so that the same file runs from the sources and from a build.
const PROGRAM: string = fileURLToPath(new URL('../bin/godwit-wire.mjs', import.meta.url));

/**
 * Starts the outside world: cables to every host, a learning switch, and a packet generator whose traffic begins at once
 * (frames find no host until a card is plugged in; measure within windows). The process ends, and its cables are removed,
 * with `close`, or when this process goes.
 *
 * @throws RangeError or TypeError for wrong options; GodwitError `ERR_GODWIT_UNSUPPORTED` where the native module is missing
 *   (it needs Linux), `ERR_GODWIT_NATIVE_FAILED` when the cables or the thread cannot be made
 */
export async function spawnWire(options: WireOptions): Promise<WireProcess> {
  const complete = completeWireOptions(options);
  // Flags of this process (a test runner's, a debugger's) are not for the child.
  const child = fork(PROGRAM, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const channel = new RequestChannel(child);
  const close = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    await channel.ended;
  };
  let opened: { readonly cablePaths: readonly string[] };
  try {
    opened = (await channel.request('open', complete)) as typeof opened;
  } catch (error) {
    await close();
    throw error;
  }
  if (child.pid === undefined) throw new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', 'the wire process has ended');
  const standing = async (): Promise<WireTotals & { readonly locations: readonly WireLocation[] }> =>
    (await channel.request('standing')) as WireTotals & { readonly locations: readonly WireLocation[] };
  return {
    cablePaths: opened.cablePaths,
    processId: child.pid,
    backend: 'native',
    ended: channel.ended,
    async beginWindow() {
      return (await channel.request('beginWindow')) as number;
    },
    async endWindow(control) {
      const native = (await channel.request('endWindow')) as NativeWindowReport;
      return windowReport(native, control?.longestGapMs ?? 0);
    },
    async totals() {
      const { flows, ownFaults, damagedHosts } = await standing();
      return { flows, ownFaults, damagedHosts };
    },
    async locations() {
      return (await standing()).locations;
    },
    async setRate(framesPerSecond) {
      checkRate(framesPerSecond);
      await channel.request('setRate', framesPerSecond);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
