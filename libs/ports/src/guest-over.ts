import { GodwitError } from './error.ts';
import type { Guest, GuestDescription, GuestMemory, SelfCheck } from './guest.ts';
import { type GuestBytes, memoryOverBytes } from './guest-bytes.ts';

const STATE_BYTES_MAX = 64 * 1024;
const CONFIG_BYTES_MAX = 16 * 1024;
const NOTHING_CHECKED: SelfCheck = {
  ok: true,
  errorCount: 0,
  checkedCount: 0,
  detail: 'nothing was checked: this guest brings no check of its own',
};

/** Memory that describes itself, and knows which of its pages are populated. */
export interface GuestOwnMemory {
  readonly memory: GuestMemory;
  readonly bytes?: never;
  readonly pageSizeBytes?: never;
  readonly softwareMarks?: never;
}

/**
 * The least that a guest must say of itself. Its functions may answer at once or with a promise, and are called one after
 * the other, never again after `close`; what they throw reaches the caller.
 */
export type GuestParts = (GuestBytes | GuestOwnMemory) & {
  readonly kind: string;
  /** Of a running guest. From its end on, nobody writes memory. */
  readonly pause: () => unknown;
  /** Of a guest that stands still: runs it on from its state, a fresh guest from its beginning. */
  readonly resume: () => unknown;
  /** Of a guest that stands still: whatever of it does not lie in its memory. At most `stateBytesMax` long. */
  readonly saveState: () => Uint8Array | Promise<Uint8Array>;
  /**
   * Into a guest that has not run; at most `stateBytesMax` bytes from anybody. Throws `ERR_GODWIT_STATE_INVALID` for what is
   * not a state of this guest, and leaves it untouched then.
   */
  readonly loadState: (state: Uint8Array) => unknown;
  /** Equal at source and destination. Default 65,536. */
  readonly stateBytesMax?: number;
  /** Of a guest that stands still: looks at its data. Default: checks nothing, and says so. */
  readonly selfCheck?: () => SelfCheck | Promise<SelfCheck>;
  /** Tells the outside world that the guest is here now. Default: there is none to tell. */
  readonly announce?: () => unknown;
  /** Of a guest that stands still, or whose `pause` failed: gives its memory back. Default: nothing is left to do. */
  readonly close?: () => unknown;
  /** As `GuestDescription.config`. Default empty. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** What the guest does, for reports. Default: its kind. */
  readonly workload?: string;
};

/**
 * Makes a guest of the least that must be said. It adds the description, the bookkeeping of pause, resume and close (each
 * idempotent, one call after the other), `ERR_GODWIT_CLOSED` for every call after `close`, and the checks of state that
 * need no knowledge of it: its length, and that it goes into a guest that has not run. `selfCheck` pauses a running guest
 * for as long as it looks.
 *
 * Of `bytes`, every page counts as present: what is missing there is taken for zero, and nobody tells which pages of a
 * buffer are populated. Looking for the pages that are not zero would read all memory once more than the pump does, and in
 * a running guest miss one that is zero only while it is looked at. A page of zeros costs a few bytes a run; but the
 * destination wants room for all of the memory. Where you know better, give `memory`.
 *
 * @throws TypeError for parts of a wrong kind, or not exactly one of `bytes` and `memory`
 * @throws RangeError for sizes that do not fit one another, and a `config` of more than 16 KiB as JSON
 *
 * @example
 * const guest = guestOver({
 *   kind: 'counter', bytes,
 *   pause: () => program.stop(), resume: () => program.start(),
 *   saveState: () => program.registers(), loadState: (state) => program.setRegisters(state),
 * });
 */
export function guestOver(parts: GuestParts): Guest {
  const { kind, workload = kind, config = {}, stateBytesMax = STATE_BYTES_MAX } = parts;
  if (typeof kind !== 'string' || kind === '') throw new TypeError('kind is the name of a kind of guest');
  if (!Number.isSafeInteger(stateBytesMax) || stateBytesMax < 0) {
    throw new RangeError(`stateBytesMax is a number of bytes, not ${stateBytesMax}`);
  }
  if (new TextEncoder().encode(JSON.stringify(config)).length > CONFIG_BYTES_MAX) {
    throw new RangeError(`the config of a guest is at most ${CONFIG_BYTES_MAX} bytes of JSON`);
  }
  if ((parts.bytes === undefined) === (parts.memory === undefined)) {
    throw new TypeError('a guest has either bytes or memory');
  }
  for (const name of ['pause', 'resume', 'saveState', 'loadState'] as const) {
    if (typeof parts[name] !== 'function') throw new TypeError(`${name} is a function`);
  }
  const memory = parts.memory ?? memoryOverBytes(parts);
  const { pageSizeBytes } = memory;
  const description: GuestDescription = {
    kind,
    memoryBytes: memory.pageCount * pageSizeBytes,
    pageSizeBytes,
    workload,
    config,
  };

  let running = false;
  let hasRun = false;
  let closing: Promise<void> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };
  /** Calls made after `close` come too late; those made before it have their turn. */
  const whileOpen = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (closing !== undefined) throw new GodwitError('ERR_GODWIT_CLOSED', 'the guest is closed');
    return inTurn(work);
  };
  const pause = async (): Promise<void> => {
    if (!running) return;
    await parts.pause();
    running = false;
  };
  const resume = async (): Promise<void> => {
    if (running) return;
    await parts.resume();
    running = hasRun = true;
  };
  const saveState = async (): Promise<Uint8Array> => {
    if (running) throw new TypeError('the state of a running guest cannot be saved; pause it');
    const state = await parts.saveState();
    if (state.length <= stateBytesMax) return state;
    throw new RangeError(`the guest saved ${state.length} bytes of state; its stateBytesMax is ${stateBytesMax}`);
  };
  const loadState = async (state: Uint8Array): Promise<void> => {
    if (hasRun)
      throw new GodwitError('ERR_GODWIT_STATE_INVALID', 'state is for a guest that has not run; this one has');
    if (state.length > stateBytesMax) {
      throw new GodwitError('ERR_GODWIT_STATE_INVALID', `no state of this guest has ${state.length} bytes`);
    }
    await parts.loadState(state);
  };
  const selfCheck = async (): Promise<SelfCheck> => {
    if (parts.selfCheck === undefined) return NOTHING_CHECKED;
    const ran = running;
    await pause();
    try {
      return await parts.selfCheck();
    } finally {
      if (ran) await resume();
    }
  };
  const close = (): Promise<void> => {
    closing ??= inTurn(async () => {
      try {
        await pause();
      } finally {
        if (parts.close !== undefined) {
          await parts.close();
          running = false;
        }
      }
    });
    return closing;
  };
  return {
    kind,
    backend: 'typescript',
    memory,
    stateBytesMax,
    get running() {
      return running;
    },
    describe: () => description,
    pause: () => whileOpen(pause),
    resume: () => whileOpen(resume),
    saveState: () => whileOpen(saveState),
    loadState: (state) => whileOpen(() => loadState(state)),
    announce: () =>
      whileOpen(async () => {
        await parts.announce?.();
      }),
    selfCheck: () => whileOpen(selfCheck),
    close,
    [Symbol.asyncDispose]: close,
  };
}
