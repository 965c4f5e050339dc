import type {
  Budget,
  MigrationContext,
  PageBitmap,
  PageRuns,
  SendOptions,
  SendResult,
  SwitchoverOptions,
  SwitchoverResult,
} from '@godwit/ports';
import { pagesOf, setPage } from './plain-bitmap.ts';
import { SimulatedMemory, type SimulatedWorkload } from './simulated-memory.ts';
import { VirtualClock } from './virtual-clock.ts';

/** What is simulated; everything has a default. */
export interface SimulationOptions {
  /** Default 2,000. */
  readonly pageCount?: number;
  /** The first so many are populated. Default half. */
  readonly presentPages?: number;
  /** Default: nothing is written. */
  readonly workload?: SimulatedWorkload;
  /** Bytes a second. Default 125,000,000. */
  readonly linkBytesPerSecond?: number;
  /** Whether the context tells the link's rate beforehand. Default false. */
  readonly linkIsKnown?: boolean;
  /** Added to each call that waits for the destination. Default 0.1. */
  readonly roundTripMs?: number;
  /** Whether a codec is there; a delta then costs a tenth of a page. Default false. */
  readonly encoding?: boolean;
  readonly budget?: Budget;
  /** Aborts when the clock reaches it. */
  readonly abortAtMs?: number;
  readonly abortReason?: unknown;
  /** The call of this number, counted from 1 over all calls of its kind, rejects. */
  readonly fail?: { readonly call: SimulatedCall['call']; readonly number: number; readonly error: unknown };
  /** A migration that lasts longer has run away: every call rejects from then on. Default 60,000. */
  readonly limitMs?: number;
  readonly seed?: number;
}

/** One call a strategy has made. */
export interface SimulatedCall {
  readonly call: 'presentPages' | 'trackWrites' | 'collectDirty' | 'send' | 'switchover';
  readonly atMs: number;
  /** Asked for or reported. */
  readonly pages: number;
}

const PAGE_BYTES = 4096;
/** Pages read at one moment; in the time they take on the link the guest writes on. */
const BATCH_PAGES = 64;
const HEADER_BYTES = 16;

/**
 * A migration of a simulated guest over a simulated link, on a virtual clock. The guest writes while pages are on their
 * way, and only what `collectDirty` and `switchover` report is known to be stale: a strategy that drops a page ends with
 * `mismatchedPages`. What it does against the rules stands in `violations`.
 */
export class SimulatedContext implements MigrationContext {
  readonly clock: VirtualClock;
  readonly budget: Budget;
  readonly signal: AbortSignal;
  readonly memory: { readonly pageSizeBytes: number; readonly pageCount: number };
  readonly encoding: boolean;
  /** The simulated switchover sends everything with the guest stopped. */
  readonly approaches = false;
  readonly linkBytesPerSecond: number | undefined;
  readonly calls: SimulatedCall[] = [];
  readonly violations: string[] = [];
  /** Every run that was sent, in order; not those of the switchover. */
  readonly sentRuns: PageRuns[] = [];
  /** Once the guest runs at the destination. */
  result: SwitchoverResult | undefined;
  readonly #options: SimulationOptions;
  readonly #abort = new AbortController();
  readonly #source: SimulatedMemory;
  readonly #destination: Uint32Array;
  readonly #bytesPerMs: number;
  #tracked = false;
  #running = true;
  #sending = false;

  constructor(options: SimulationOptions = {}) {
    const { pageCount = 2000, seed = 1, linkBytesPerSecond = 125_000_000 } = options;
    const workload = options.workload ?? { writesPerSecond: 0, firstPage: 0, pageCount: 0, pattern: 'sweep' };
    this.#options = options;
    this.#source = new SimulatedMemory(pageCount, options.presentPages ?? pageCount >>> 1, workload, seed);
    this.#destination = new Uint32Array(pageCount);
    this.#bytesPerMs = linkBytesPerSecond / 1000;
    this.memory = { pageSizeBytes: PAGE_BYTES, pageCount };
    this.budget = options.budget ?? { totalMs: 2000, downtimeMs: 10 };
    this.encoding = options.encoding ?? false;
    this.linkBytesPerSecond = options.linkIsKnown ? linkBytesPerSecond : undefined;
    this.signal = this.#abort.signal;
    const { abortAtMs = Number.POSITIVE_INFINITY } = options;
    this.clock = new VirtualClock((fromMs, toMs) => {
      if (this.#running) this.#source.run(toMs - fromMs, this.#tracked);
      if (toMs >= abortAtMs) this.abort();
    });
    if (abortAtMs <= 0) this.abort();
  }

  /** Cancels, as the caller of a migration would. */
  abort(): void {
    this.#abort.abort(this.#options.abortReason ?? new Error('cancelled'));
  }

  /** Pages whose version at the destination is not the source's. Before the end there may be many. */
  get mismatchedPages(): number[] {
    const versions = this.#source.versions;
    return Array.from(versions.keys()).filter((page) => versions[page] !== this.#destination[page]);
  }

  async presentPages(into: PageBitmap): Promise<number> {
    this.#begin('presentPages', 0);
    await this.#wait(0.1);
    const versions = this.#source.versions;
    let present = 0;
    for (let page = 0; page < versions.length; page++) {
      if (versions[page] === 0) continue;
      setPage(into, page);
      present++;
    }
    return present;
  }

  async trackWrites(): Promise<void> {
    this.#begin('trackWrites', 0);
    await this.#wait(1);
    this.#source.dirty.clear();
    this.#tracked = true;
  }

  async collectDirty(into: PageBitmap): Promise<number> {
    if (!this.#tracked) this.violations.push('collectDirty before trackWrites');
    this.#begin('collectDirty', this.#source.dirty.size);
    await this.#wait(0.2);
    return this.#takeDirty(into);
  }

  async send(runs: PageRuns, options: SendOptions): Promise<SendResult> {
    const pages = this.#pagesOfRuns(runs);
    if (!this.#tracked) this.violations.push('send before trackWrites: what is written now is never known');
    if (this.#sending) this.violations.push('two sends at a time');
    this.#begin('send', pages.length);
    this.sentRuns.push(runs.slice());
    this.#sending = true;
    try {
      return await this.#transfer(pages, options.encode);
    } finally {
      this.#sending = false;
    }
  }

  async switchover(options: SwitchoverOptions): Promise<SwitchoverResult> {
    const pending = options.pending;
    if (pending.pageCount !== this.memory.pageCount) this.violations.push('pending is over another number of pages');
    if (!this.#tracked) this.violations.push('switchover before trackWrites');
    if (this.#sending) this.violations.push('switchover while a send is under way');
    this.#begin('switchover', pagesOf(pending).length);
    const startMs = this.clock.nowMs();
    this.#running = false;
    try {
      const rest = { pageCount: this.memory.pageCount, words: pending.words.slice() };
      this.#takeDirty(rest);
      const sent = await this.#transfer(this.#insideMemory(pagesOf(rest)), options.encode);
      await this.#wait(0.2);
      const blackoutPhases = { pauseMs: 0, collectMs: 0, sendMs: sent.elapsedMs, stateMs: 0.1, startMs: 0.1 };
      this.result = { ...sent, blackoutMs: this.clock.nowMs() - startMs, blackoutPhases, approach: [] };
      return this.result;
    } finally {
      // Where it fails the guest runs here again.
      if (this.result === undefined) this.#running = true;
    }
  }

  #begin(call: SimulatedCall['call'], pages: number): void {
    if (this.result !== undefined) this.violations.push(`${call} after the switchover`);
    const atMs = this.clock.nowMs();
    this.calls.push({ call, atMs, pages });
    this.signal.throwIfAborted();
    const { fail, limitMs = 60_000 } = this.#options;
    if (atMs > limitMs || this.calls.length > 5000) {
      this.violations.push('no end in sight');
      throw new Error(`not done after ${Math.round(atMs)} ms and ${this.calls.length} calls`);
    }
    if (fail?.call === call && this.calls.filter((made) => made.call === call).length === fail.number) throw fail.error;
  }

  #wait(delayMs: number): Promise<void> {
    return this.clock.delay(delayMs, this.signal);
  }

  #takeDirty(into: PageBitmap): number {
    const dirty = this.#source.dirty;
    const count = dirty.size;
    for (const page of dirty) setPage(into, page);
    dirty.clear();
    return count;
  }

  #pagesOfRuns(runs: PageRuns): number[] {
    const pages: number[] = [];
    if (runs.length % 2 !== 0) this.violations.push('half a run');
    for (let index = 0; index + 1 < runs.length; index += 2) {
      const [first = 0, count = 0] = [runs[index], runs[index + 1]];
      if (count === 0) this.violations.push('a run of no page');
      for (let page = first; page < Math.min(first + count, this.memory.pageCount + 1); page++) pages.push(page);
    }
    if (new Set(pages).size !== pages.length) this.violations.push('a page twice in one send');
    return this.#insideMemory(pages);
  }

  #insideMemory(pages: number[]): number[] {
    const inside = pages.filter((page) => page < this.memory.pageCount);
    if (inside.length !== pages.length) this.violations.push('a page outside the memory');
    return inside;
  }

  async #transfer(pages: readonly number[], encode: boolean): Promise<SendResult> {
    const startMs = this.clock.nowMs();
    const counts = { zeroPages: 0, rawPages: 0, deltaPages: 0, unchangedPages: 0, wireBytes: 0 };
    for (let start = 0; start < pages.length; start += BATCH_PAGES) {
      const batch = pages.slice(start, start + BATCH_PAGES);
      // Read now, installed when it has arrived; what is written in between has to be sent again.
      const read = batch.map((page) => this.#source.versions[page] ?? 0);
      let batchBytes = 0;
      batch.forEach((page, index) => {
        const known = this.#destination[page] ?? 0;
        if (read[index] === 0) counts.zeroPages++;
        else if (!encode || !this.encoding || known === 0) counts.rawPages++;
        else if (known === read[index]) counts.unchangedPages++;
        else counts.deltaPages++;
        const raw = read[index] !== 0 && (!encode || !this.encoding || known === 0);
        batchBytes += HEADER_BYTES + (raw ? PAGE_BYTES : known === read[index] ? 0 : PAGE_BYTES / 10);
      });
      counts.wireBytes += batchBytes;
      await this.#wait(batchBytes / this.#bytesPerMs);
      batch.forEach((page, index) => {
        this.#destination[page] = read[index] ?? 0;
      });
    }
    await this.#wait(this.#options.roundTripMs ?? 0.1);
    return { ...counts, elapsedMs: this.clock.nowMs() - startMs };
  }
}
