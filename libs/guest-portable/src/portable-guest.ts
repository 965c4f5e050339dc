import {
  type Backend,
  GodwitError,
  type Guest,
  type GuestDescription,
  isGodwitError,
  type SelfCheck,
} from '@godwit/ports';
import { CONTROL_MAGIC, CONTROL_WORDS, type ControlWords, PROGRAM_NUMBERS } from './control-words.ts';
import {
  PORTABLE_PAGE_BYTES,
  type PortableConfig,
  type PortableGuestOptions,
  portableConfig,
} from './portable-config.ts';
import { portableLayout } from './portable-layout.ts';
import { PortableMemory } from './portable-memory.ts';
import {
  decodePortableState,
  encodePortableState,
  PORTABLE_STATE_BYTES,
  type PortableState,
} from './portable-state.ts';
import { ProgramThread } from './program-thread.ts';
import { PROGRAM_ORDERS, PROGRAM_STATES, SWITCH_WORDS } from './worker-assignment.ts';

/** What a guest's program has counted since it began, on all hosts. */
export interface PortableCounters {
  /** Beats of idle, batches of appmembench. */
  readonly steps: number;
  readonly checkedPages: number;
  readonly errorCount: number;
  readonly pageWrites: number;
  /** How often as many pages were written as the working set has. */
  readonly iterations: number;
  /** The newest iteration's time; 0 before the first was complete. */
  readonly iterationMicroseconds: number;
}

/** A guest with a look at its counters. */
export interface PortableGuest extends Guest {
  /** At any time; while the program runs, those of its newest step. */
  counters(): PortableCounters;
}

/**
 * A fresh guest, paused, its memory filled.
 *
 * @throws TypeError, RangeError for options that make no guest
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` for a workload that portable guests do not have (`l2fwd` needs a network
 * card), `ERR_GODWIT_MEMORY_SHORT` where shared memory is not to be had
 */
export async function createPortableGuest(options: PortableGuestOptions): Promise<PortableGuest> {
  return PortableMachine.make(portableConfig(options), true);
}

/**
 * An empty guest, equal to the one whose `describe().config` this is: waits for memory and `loadState`. The config may
 * come from a peer that is not to be trusted.
 *
 * @throws GodwitError `ERR_GODWIT_REFUSED` for a config that makes no guest; otherwise as `createPortableGuest`
 */
export async function restorePortableGuest(config: unknown): Promise<PortableGuest> {
  let checked: PortableConfig;
  try {
    checked = portableConfig(config);
    portableLayout(checked);
  } catch (cause) {
    if (isGodwitError(cause)) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new GodwitError('ERR_GODWIT_REFUSED', `not the config of a portable guest: ${message}`, { cause });
  }
  return PortableMachine.make(checked, false);
}

class PortableMachine implements PortableGuest {
  readonly kind = 'portable';
  readonly backend: Backend = 'typescript';
  readonly stateBytesMax: number = PORTABLE_STATE_BYTES;
  readonly #config: PortableConfig;
  readonly #thread: ProgramThread;
  #memory: PortableMemory | undefined;
  #running = false;
  #hasRun = false;
  /** What the control block must agree with before the next start. */
  #loaded: PortableState | undefined;
  /** Its memory is filled, or a state was loaded. */
  #ready: boolean;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(config: PortableConfig, memory: PortableMemory, thread: ProgramThread, fresh: boolean) {
    this.#config = config;
    this.#memory = memory;
    this.#thread = thread;
    this.#ready = fresh;
  }

  static async make(config: PortableConfig, fresh: boolean): Promise<PortableMachine> {
    const layout = portableLayout(config);
    const memory = new PortableMemory(config.memoryBytes, layout.usedPages);
    const thread = await ProgramThread.start({
      memory: memory.buffer,
      marks: memory.softwareMarks.buffer as SharedArrayBuffer,
      signals: new SharedArrayBuffer(8),
      pageSizeBytes: PORTABLE_PAGE_BYTES,
      fresh,
      content: config.content,
      seed: config.seed,
      workload: config.workload,
      layout,
      magic: CONTROL_MAGIC,
      program: PROGRAM_NUMBERS[config.workload.name],
      controlWords: CONTROL_WORDS,
      orders: PROGRAM_ORDERS,
      states: PROGRAM_STATES,
      switchWords: SWITCH_WORDS,
    });
    if (thread.failure !== undefined) throw thread.failure;
    return new PortableMachine(config, memory, thread, fresh);
  }

  get memory(): PortableMemory {
    return this.#open();
  }

  get running(): boolean {
    return this.#running && this.#thread.failure === undefined;
  }

  describe(): GuestDescription {
    return {
      kind: this.kind,
      memoryBytes: this.#config.memoryBytes,
      pageSizeBytes: PORTABLE_PAGE_BYTES,
      workload: this.#config.workload.name,
      config: { ...this.#config },
    };
  }

  pause(): Promise<void> {
    return this.#inTurn(async () => {
      this.#open();
      if (!this.#running) return;
      await this.#thread.park();
      this.#running = false;
    });
  }

  resume(): Promise<void> {
    return this.#inTurn(async () => {
      this.#open();
      if (this.running) return;
      this.#checkControlBlock();
      await this.#thread.run();
      this.#running = true;
      this.#hasRun = true;
    });
  }

  saveState(): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const memory = this.#open();
      if (this.#thread.failure !== undefined) throw this.#thread.failure;
      if (this.#running) throw new TypeError('the state of a running guest cannot be saved; pause it');
      return encodePortableState({
        program: PROGRAM_NUMBERS[this.#config.workload.name],
        pageCount: memory.pageCount,
        steps: this.#read('steps'),
      });
    });
  }

  loadState(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const memory = this.#open();
      const state = decodePortableState(bytes);
      if (state.pageCount !== memory.pageCount) throw refused(`a guest of ${state.pageCount} pages`);
      if (state.program !== PROGRAM_NUMBERS[this.#config.workload.name]) throw refused('a guest with another program');
      if (this.#hasRun) throw refused('a guest for one that has not run; this one has');
      this.#loaded = state;
      this.#ready = true;
    });
  }

  /** There is no outside world to tell. */
  async announce(): Promise<void> {
    this.#open();
  }

  async selfCheck(): Promise<SelfCheck> {
    this.#open();
    const { failure } = this.#thread;
    const { errorCount, checkedPages } = this.counters();
    const page = Number(this.#read('errorPage')) - 1;
    let detail = `${checkedPages} pages checked`;
    if (errorCount > 0) detail += `, ${errorCount} not as the program had left them, the last of them page ${page}`;
    if (failure !== undefined) detail += `; ${failure.message}`;
    return { ok: errorCount === 0 && failure === undefined, errorCount, checkedCount: checkedPages, detail };
  }

  counters(): PortableCounters {
    this.#open();
    const count = (word: keyof ControlWords): number => Number(this.#read(word));
    return {
      steps: count('steps'),
      checkedPages: count('checkedPages'),
      errorCount: count('errorCount'),
      pageWrites: count('pageWrites'),
      iterations: count('iterations'),
      iterationMicroseconds: count('iterationMicroseconds'),
    };
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#memory === undefined) return;
      this.#memory = undefined;
      this.#running = false;
      await this.#thread.end();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One after the other: a thread that was told to run must have heard it before it is told to stop. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #open(): PortableMemory {
    if (this.#memory === undefined) throw new GodwitError('ERR_GODWIT_CLOSED', 'the guest is closed');
    return this.#memory;
  }

  #read(word: keyof ControlWords): bigint {
    return Atomics.load(this.#open().control, CONTROL_WORDS[word]);
  }

  /** Memory and state come on different ways: before the program runs on, they must be of the same moment. */
  #checkControlBlock(): void {
    const { control, softwareMarks } = this.#open();
    if (!this.#ready) {
      throw new GodwitError('ERR_GODWIT_STATE_INVALID', 'an empty guest cannot run before its state was loaded');
    }
    if (this.#read('magic') !== CONTROL_MAGIC) {
      throw new GodwitError('ERR_GODWIT_STATE_INVALID', 'the first page of memory is not that of a portable guest');
    }
    if (this.#loaded !== undefined && this.#loaded.steps !== this.#read('steps')) {
      Atomics.add(control, CONTROL_WORDS.errorCount, 1n);
      Atomics.store(control, CONTROL_WORDS.errorPage, 1n);
      Atomics.or(softwareMarks, 0, 1);
    }
    this.#loaded = undefined;
  }
}

function refused(what: string): GodwitError {
  return new GodwitError('ERR_GODWIT_STATE_INVALID', `this is the state of ${what}`);
}
