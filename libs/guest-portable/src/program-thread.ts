import { Worker } from 'node:worker_threads';
import { GodwitError } from '@godwit/ports';
import { PROGRAM_ORDERS, PROGRAM_STATES, SWITCH_WORDS, type WorkerAssignment } from './worker-assignment.ts';

/** From `src` and from `dist` alike. */
const WORKER_FILE = new URL('../worker/portable-worker.mjs', import.meta.url);
/** A step takes a tenth of this. Waiting for it in place is shorter than a turn of the event loop. */
const IN_PLACE_MS = 1;

/** The thread that is a portable guest's processor: it runs, or it stands between two steps. */
export class ProgramThread {
  readonly #worker: Worker;
  readonly #signals: Int32Array;
  #failure: GodwitError | undefined;
  #ended = false;
  #listeners: (() => void)[] = [];

  private constructor(worker: Worker, signals: Int32Array) {
    this.#worker = worker;
    this.#signals = signals;
    worker.on('message', () => this.#tellListeners());
    worker.on('error', (cause) => {
      this.#failure ??= new GodwitError('ERR_GODWIT_GUEST_STOPPED', 'the program of the portable guest crashed', {
        cause,
      });
    });
    worker.on('exit', () => {
      this.#ended = true;
      this.#tellListeners();
    });
  }

  /** Starts the thread; resolves when it stands still before its first step, with memory filled if it was to do so. */
  static async start(assignment: WorkerAssignment): Promise<ProgramThread> {
    const worker = new Worker(WORKER_FILE, { workerData: assignment, execArgv: [], name: 'godwit-guest' });
    const thread = new ProgramThread(worker, new Int32Array(assignment.signals));
    await thread.#reach(PROGRAM_STATES.parked, 0);
    return thread;
  }

  /** Why the program ended by itself, if it did. */
  get failure(): GodwitError | undefined {
    return this.#failure;
  }

  /** Resolves when the thread stands between two steps, or has ended. */
  async park(): Promise<void> {
    this.#order(PROGRAM_ORDERS.park);
    if (!this.#ended) await this.#reach(PROGRAM_STATES.parked, IN_PLACE_MS);
  }

  /**
   * Resolves when the thread runs: only then may it be told to park again, because a thread that still stands says so.
   * @throws GodwitError `ERR_GODWIT_GUEST_STOPPED`
   */
  async run(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#order(PROGRAM_ORDERS.run);
    await this.#reach(PROGRAM_STATES.running, IN_PLACE_MS);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the thread wherever it is. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #order(order: number): void {
    Atomics.store(this.#signals, SWITCH_WORDS.order, order);
    Atomics.notify(this.#signals, SWITCH_WORDS.order);
  }

  async #reach(state: number, inPlaceMs: number): Promise<void> {
    for (;;) {
      const current = Atomics.load(this.#signals, SWITCH_WORDS.state);
      if (current === state || this.#ended) return;
      if (Atomics.wait(this.#signals, SWITCH_WORDS.state, current, inPlaceMs) !== 'timed-out') continue;
      // The thread tells each change by a message too; it cannot arrive before this turn is over.
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  #tellListeners(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
