/** What a wire is made of. */
export interface WireOptions {
  /** Hosts, each with a cable: 1 to 16. */
  readonly hostCount: number;
  /** Hardware addresses of the guest's ports 0 and 1, such as `02:00:00:00:01:00`. */
  readonly guestMacs: readonly [string, string];
  /** 64-byte frames a second over both flows; 0 is silence. */
  readonly framesPerSecond: number;
  /** The processor the wire's thread stays on; the scheduler's choice by default. */
  readonly cpu?: number;
  /**
   * Gives the wire's thread the lowest real-time priority, which needs root or `CAP_SYS_NICE`: on a busy machine it then
   * stalls less by itself. It sleeps between turns, so it does not meet the real-time throttle. Off by default.
   */
  readonly realTime?: boolean;
  /** Time between two turns of the wire's loop, 50 by default: the resolution of what it measures. */
  readonly tickMicroseconds?: number;
  /** Frames that one flow sends in one turn at most, 256 by default; what is due beyond goes out in the next turns. */
  readonly burstFrames?: number;
  /** Bytes of each of a cable's four rings, a power of two from 4 KiB to 64 MiB; 256 KiB (3,640 frames) by default. */
  readonly ringBytes?: number;
  /** How long after its end a window waits for frames that are still out before they are lost; 300 by default. */
  readonly graceMilliseconds?: number;
  /** Where the cables' files are made, a tmpfs: `/dev/shm` by default. */
  readonly directory?: string;
}

/** The options with all defaults filled in. */
export type CompleteWireOptions = Required<Omit<WireOptions, 'cpu'>> & Pick<WireOptions, 'cpu'>;

const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

function checkInteger(name: string, value: number, lowest: number, highest: number): void {
  if (!Number.isInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${name} must be an integer from ${lowest} to ${highest}, not ${value}`);
  }
}

/**
 * Checks a rate.
 * @throws RangeError for anything but 0 to 20,000,000
 */
export function checkRate(framesPerSecond: number): void {
  checkInteger('framesPerSecond', framesPerSecond, 0, 20_000_000);
}

/**
 * Checks options and fills in the defaults.
 * @throws RangeError for a number out of range, TypeError for a hardware address that is none
 */
export function completeWireOptions(options: WireOptions): CompleteWireOptions {
  const complete: CompleteWireOptions = {
    tickMicroseconds: 50,
    burstFrames: 256,
    ringBytes: 256 * 1024,
    graceMilliseconds: 300,
    directory: '/dev/shm',
    realTime: false,
    ...options,
  };
  checkInteger('hostCount', complete.hostCount, 1, 16);
  checkRate(complete.framesPerSecond);
  checkInteger('tickMicroseconds', complete.tickMicroseconds, 1, 1_000_000);
  checkInteger('burstFrames', complete.burstFrames, 1, 65_536);
  checkInteger('ringBytes', complete.ringBytes, 4096, 64 * 1024 * 1024);
  checkInteger('graceMilliseconds', complete.graceMilliseconds, 0, 60_000);
  if (complete.cpu !== undefined) checkInteger('cpu', complete.cpu, 0, 1023);
  if ((complete.ringBytes & (complete.ringBytes - 1)) !== 0) throw new RangeError('ringBytes must be a power of two');
  if (complete.guestMacs.length !== 2 || !complete.guestMacs.every((mac) => MAC_PATTERN.test(mac))) {
    throw new TypeError('guestMacs must be two hardware addresses such as 02:00:00:00:01:00');
  }
  return complete;
}
