import { GodwitError } from '@godwit/ports';

/** Bytes of a page of a portable guest. */
export const PORTABLE_PAGE_BYTES = 4096;
const MEMORY_BYTES_MIN = 64 * 1024;
/** What one `Uint8Array` of Node.js 20 can span. */
const MEMORY_BYTES_MAX = 2 ** 32;
const BEAT_MICROSECONDS = 1_000;
const BEAT_MICROSECONDS_MAX = 60_000_000;
const RATE_MAX = 1e9;

const CONTENT_KINDS = ['zero', 'text', 'code', 'random', 'mixed'] as const;
const PATTERNS = ['sweep', 'random', 'zipf'] as const;
/** Workloads that other kinds of guest run and this one does not. */
const WORKLOADS_ELSEWHERE: readonly unknown[] = ['l2fwd', 'readmostly', 'phases'];

/** What resident pages are filled with. */
export type ContentKind = (typeof CONTENT_KINDS)[number];
/** In which order pages are written. Zipf: page i of the working set in proportion to 1 / (i + 1). */
export type WritePattern = (typeof PATTERNS)[number];

/** A heartbeat every so many microseconds, with a look at one resident page each. */
export interface IdleWorkload {
  readonly name: 'idle';
  readonly beatMicroseconds: number;
}

/** Writes a working set page by page. */
export interface AppmembenchWorkload {
  readonly name: 'appmembench';
  /** A multiple of the page size. */
  readonly workingSetBytes: number;
  /** 0: as fast as it can. */
  readonly pagesPerSecond: number;
  readonly pattern: WritePattern;
  /** Each page is written as a whole, not only in its stamps. */
  readonly wholePages: boolean;
}

/** All that makes a portable guest what it is, with nothing left open. JSON. */
export interface PortableConfig {
  readonly version: 1;
  readonly memoryBytes: number;
  /** Pages that hold something when the guest begins, its working set and tables among them. */
  readonly residentBytes: number;
  readonly content: ContentKind;
  /** Of content and chance: an unsigned 32-bit integer. */
  readonly seed: number;
  readonly workload: IdleWorkload | AppmembenchWorkload;
}

type WithDefaults<Workload extends { readonly name: string }> = Pick<Workload, 'name'> & Partial<Workload>;

/** What a fresh guest may be asked for. */
export interface PortableGuestOptions {
  /** A multiple of 4 KiB from 64 KiB to 4 GiB. */
  readonly memoryBytes: number;
  /** Default: what the workload needs. */
  readonly residentBytes?: number;
  /** Default: `mixed`. */
  readonly content?: ContentKind;
  /** Default: 1. */
  readonly seed?: number;
  /**
   * `idle`: `beatMicroseconds` is 1,000 by default. `appmembench`: `workingSetBytes` must be there, `pagesPerSecond` is 0
   * by default, `pattern` is `sweep`, `wholePages` is false.
   */
  readonly workload:
    | WithDefaults<IdleWorkload>
    | (WithDefaults<AppmembenchWorkload> & Pick<AppmembenchWorkload, 'workingSetBytes'>);
}

/**
 * Checks options, which may come from a peer, and fills the gaps.
 * @throws TypeError, RangeError
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` for a workload that only other guests run
 */
export function portableConfig(options: unknown): PortableConfig {
  const given = recordOf(options, 'the options of a portable guest');
  if (given.version !== undefined && given.version !== 1) {
    throw new RangeError('a portable guest of another version');
  }
  const memoryBytes = integerOf(given, 'memoryBytes', MEMORY_BYTES_MIN, MEMORY_BYTES_MAX, PORTABLE_PAGE_BYTES);
  return {
    version: 1,
    memoryBytes,
    residentBytes: integerOf({ residentBytes: 0, ...given }, 'residentBytes', 0, memoryBytes, 1),
    content: choiceOf({ content: 'mixed', ...given }, 'content', CONTENT_KINDS),
    seed: integerOf({ seed: 1, ...given }, 'seed', 0, 0xffffffff, 1),
    workload: workloadOf(recordOf(given.workload, 'workload'), memoryBytes),
  };
}

function workloadOf(given: Readonly<Record<string, unknown>>, memoryBytes: number): PortableConfig['workload'] {
  const name = given.name;
  if (WORKLOADS_ELSEWHERE.includes(name)) {
    throw new GodwitError(
      'ERR_GODWIT_UNSUPPORTED',
      `a portable guest has no ${String(name)}: it runs idle and appmembench; use a KVM or an arena guest`,
    );
  }
  switch (choiceOf(given, 'name', ['idle', 'appmembench'])) {
    case 'idle': {
      const beat = { beatMicroseconds: BEAT_MICROSECONDS, ...given };
      return { name: 'idle', beatMicroseconds: integerOf(beat, 'beatMicroseconds', 1, BEAT_MICROSECONDS_MAX, 1) };
    }
    case 'appmembench': {
      const filled = { pagesPerSecond: 0, pattern: 'sweep', wholePages: false, ...given };
      if (typeof filled.wholePages !== 'boolean') throw new TypeError('wholePages is true or false');
      return {
        name: 'appmembench',
        workingSetBytes: integerOf(given, 'workingSetBytes', PORTABLE_PAGE_BYTES, memoryBytes, PORTABLE_PAGE_BYTES),
        pagesPerSecond: integerOf(filled, 'pagesPerSecond', 0, RATE_MAX, 1),
        pattern: choiceOf(filled, 'pattern', PATTERNS),
        wholePages: filled.wholePages,
      };
    }
  }
}

function recordOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${name} is an object`);
  // Without what is undefined, so that a default stands in for it.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));
}

function integerOf(
  given: Readonly<Record<string, unknown>>,
  name: string,
  min: number,
  max: number,
  multipleOf: number,
): number {
  const value = given[name];
  if (typeof value !== 'number') throw new TypeError(`${name} is a number`);
  if (!Number.isInteger(value) || value < min || value > max || value % multipleOf !== 0) {
    const of = multipleOf === 1 ? 'an integer' : `a multiple of ${multipleOf}`;
    throw new RangeError(`${name} is ${of} from ${min} to ${max}, not ${value}`);
  }
  return value;
}

function choiceOf<Choice extends string>(
  given: Readonly<Record<string, unknown>>,
  name: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((candidate) => candidate === given[name]);
  if (choice === undefined) throw new TypeError(`${name} is one of ${choices.join(', ')}`);
  return choice;
}
