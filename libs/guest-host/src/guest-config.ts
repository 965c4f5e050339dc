/** What a guest runs. */
export type GuestWorkload =
  | {
      /** A heartbeat; at every beat a page of resident memory is compared with what it should hold. */
      readonly name: 'idle';
      /** Time between two beats. Default 1,000. */
      readonly beatMicroseconds?: number;
    }
  | {
      /** DPDK's l2fwd: what comes in at one port of the card leaves by the other. */
      readonly name: 'l2fwd';
    }
  | {
      /** Writes a working set page after page and checks each before it is written again. */
      readonly name: 'appmembench';
      readonly workingSetBytes: number;
      /** So many pages a second, each touched in four places; 0 for as many as it can. */
      readonly pagesPerSecond?: number;
      /** Instead: so many bytes a second, whole pages. */
      readonly bytesPerSecond?: number;
      /** Default `sweep`. `zipf` has exponent 1. */
      readonly pattern?: 'sweep' | 'random' | 'zipf';
    };

/** What resident memory holds: zeros, prose-like, machine-code-like, incompressible, or a mix. */
export type GuestContent = 'zero' | 'text' | 'code' | 'random' | 'mixed';

/** What travels with a guest: a destination builds the empty twin from it. */
export interface GuestConfig {
  /** A multiple of 2 MiB from 64 MiB to 63 GiB. Default 8 GiB. */
  readonly memoryBytes?: number;
  /** 1 to 16. Default 1. Programs of one processor leave the others idle. */
  readonly vcpuCount?: number;
  /** Default `idle`. */
  readonly workload?: GuestWorkload;
  /** Populated memory, program, rings and working set included. Default 64 MiB. */
  readonly residentBytes?: number;
  /** Default `random`. */
  readonly content?: GuestContent;
  /** Of content and patterns. Default 1. */
  readonly seed?: number;
  /** Hardware addresses of the card's two ports. Default `02:67:6f:64:00:00` and `02:67:6f:64:00:01`. */
  readonly macs?: readonly [string, string];
}

/** A configuration with nothing left open; JSON. */
export interface CompleteGuestConfig {
  readonly memoryBytes: number;
  readonly vcpuCount: number;
  readonly workload: GuestWorkload;
  readonly residentBytes: number;
  readonly content: GuestContent;
  readonly seed: number;
  readonly macs: readonly [string, string];
}

/** The card's hardware addresses where the configuration does not say. */
export const DEFAULT_MACS: readonly [string, string] = ['02:67:6f:64:00:00', '02:67:6f:64:00:01'];

const CONTENTS: readonly unknown[] = ['zero', 'text', 'code', 'random', 'mixed'] satisfies GuestContent[];
const PATTERNS: readonly unknown[] = ['sweep', 'random', 'zipf'];
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const BLOCK_BYTES = 2 * MIB;

/**
 * Checks and completes a configuration, whoever it comes from. Whether everything fits into memory is found out when
 * the guest is made.
 * @throws TypeError
 * @throws RangeError
 */
export function completeGuestConfig(config: unknown): CompleteGuestConfig {
  const fields = record(config, 'the configuration of a guest');
  const memoryBytes = integer(fields, 'memoryBytes', 64 * MIB, 63 * GIB, 8 * GIB);
  if (memoryBytes % BLOCK_BYTES !== 0) throw new RangeError('memoryBytes must be a multiple of 2 MiB');
  const { content = 'random', macs = DEFAULT_MACS } = fields;
  if (!isContent(content)) throw new TypeError(`content must be one of ${CONTENTS.join(', ')}`);
  return {
    memoryBytes,
    vcpuCount: integer(fields, 'vcpuCount', 1, 16, 1),
    workload: completeWorkload(fields.workload, memoryBytes),
    residentBytes: integer(fields, 'residentBytes', 0, memoryBytes, 64 * MIB),
    content,
    seed: integer(fields, 'seed', 0, Number.MAX_SAFE_INTEGER, 1),
    macs: completeMacs(macs),
  };
}

/**
 * The six numbers of a hardware address like `02:00:00:00:00:01`.
 * @throws TypeError
 */
export function macBytes(mac: string): number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new TypeError(`not a hardware address: ${mac.slice(0, 40)}`);
  return mac.split(':').map((byte) => Number.parseInt(byte, 16));
}

function completeMacs(macs: unknown): [string, string] {
  if (!Array.isArray(macs) || macs.length !== 2) throw new TypeError('macs must be two hardware addresses');
  const [first, second]: unknown[] = macs;
  if (typeof first !== 'string' || typeof second !== 'string') throw new TypeError('macs must be strings');
  macBytes(first);
  macBytes(second);
  return [first, second];
}

function completeWorkload(workload: unknown, memoryBytes: number): GuestWorkload {
  if (workload === undefined) return { name: 'idle', beatMicroseconds: 1000 };
  const fields = record(workload, 'workload');
  switch (fields.name) {
    case 'idle':
      return { name: 'idle', beatMicroseconds: integer(fields, 'beatMicroseconds', 1, 1_000_000, 1000) };
    case 'l2fwd':
      return { name: 'l2fwd' };
    case 'appmembench': {
      const { pattern = 'sweep', bytesPerSecond } = fields;
      if (!isPattern(pattern)) throw new TypeError(`pattern must be one of ${PATTERNS.join(', ')}`);
      const workingSetBytes = integer(fields, 'workingSetBytes', 4096, memoryBytes);
      if (bytesPerSecond !== undefined) {
        if (fields.pagesPerSecond !== undefined) {
          throw new TypeError('a workload has pagesPerSecond or bytesPerSecond, not both');
        }
        const rate = integer(fields, 'bytesPerSecond', 0, 1024 * GIB);
        return { name: 'appmembench', workingSetBytes, bytesPerSecond: rate, pattern };
      }
      const pagesPerSecond = integer(fields, 'pagesPerSecond', 0, 2 ** 30, 0);
      return { name: 'appmembench', workingSetBytes, pagesPerSecond, pattern };
    }
    default:
      throw new TypeError('workload.name must be idle, l2fwd or appmembench');
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${what} must be an object`);
  return value as Record<string, unknown>;
}

function integer(
  fields: Record<string, unknown>,
  name: string,
  least: number,
  most: number,
  otherwise?: number,
): number {
  const value = fields[name] ?? otherwise;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new TypeError(`${name} must be a whole number`);
  if (value < least || value > most) throw new RangeError(`${name} must be between ${least} and ${most}`);
  return value;
}

function isContent(value: unknown): value is GuestContent {
  return CONTENTS.includes(value);
}

function isPattern(value: unknown): value is 'sweep' | 'random' | 'zipf' {
  return PATTERNS.includes(value);
}
