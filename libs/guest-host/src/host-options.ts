/** What concerns only the host a guest is made on, and does not travel with it. */
export interface GuestHostOptions {
  /** The cable to the outside world: a file made by `@godwit/wire`. Without one the card's link is down. */
  readonly cablePath?: string;
  /** Processors of this host for the virtual ones, in turn. Default: wherever the scheduler puts them. */
  readonly cpus?: readonly number[];
  /** Huge pages behind 2 MiB blocks that are filled as a whole. Default true. */
  readonly hugePages?: boolean;
  /**
   * How long the first processor sleeps between two looks at an idle card, in microseconds; four times as long when no
   * frame came for 20 ms. Shorter costs processor time, longer costs latency. Default 20.
   */
  readonly idlePollMicroseconds?: number;
}

/** Host options with nothing left open. */
export interface CompleteHostOptions {
  readonly cablePath: string | undefined;
  readonly cpus: readonly number[];
  readonly hugePages: boolean;
  readonly idlePollMicroseconds: number;
}

/**
 * Checks and completes host options.
 * @throws TypeError
 * @throws RangeError
 */
export function completeHostOptions(options: GuestHostOptions): CompleteHostOptions {
  const { cablePath, cpus = [], hugePages = true, idlePollMicroseconds = 20 } = options;
  if (cablePath !== undefined && typeof cablePath !== 'string') throw new TypeError('cablePath must be a path');
  if (!Array.isArray(cpus) || !cpus.every((cpu) => Number.isInteger(cpu) && cpu >= 0 && cpu < 1024)) {
    throw new TypeError('cpus must be numbers of processors');
  }
  if (typeof hugePages !== 'boolean') throw new TypeError('hugePages must be true or false');
  if (!(idlePollMicroseconds >= 1 && idlePollMicroseconds <= 10_000)) {
    throw new RangeError('idlePollMicroseconds must be between 1 and 10,000');
  }
  return { cablePath, cpus, hugePages, idlePollMicroseconds };
}
