import { PageSet } from '@godwit/page-set';
import type {
  Budget,
  MigrationContext,
  MigrationEvent,
  PageBitmap,
  PageRuns,
  SendOptions,
  SendResult,
  Strategy,
  SwitchoverOptions,
  SwitchoverResult,
} from '@godwit/ports';

/** A guest that writes pages at a rate, on a virtual clock. */
export interface SimulatedGuest {
  readonly pageCount: number;
  /** Pages populated before the migration. */
  readonly present: readonly (readonly [firstPage: number, pageCount: number])[];
  readonly writesPerMs: number;
  /** The page of the guest's n-th write since it started. */
  readonly pageOfWrite: (write: number) => number;
  /** Bytes of a delta where the peer has an older version of the page. */
  readonly deltaBytes: number;
}

export interface SimulatedLink {
  readonly bytesPerMs: number;
  /** Spent by every call of `send` besides its bytes. */
  readonly turnMs: number;
  readonly encoding?: boolean;
}

export interface SendCall {
  readonly encode: boolean;
  readonly pages: readonly number[];
  readonly startMs: number;
}

const PAGE_BYTES = 4096;
/** Looking at an encoded page costs time, too. */
const ENCODE_BYTES_PER_MS = 8_000_000;

/** A context over a simulated guest; each page has a version on either side, so that a lost write shows. */
export class SimulatedMigration implements MigrationContext {
  readonly clock: { nowMs: () => number; delay: (delayMs: number) => Promise<void> };
  readonly budget: Budget;
  readonly signal: AbortSignal;
  readonly memory: { readonly pageSizeBytes: number; readonly pageCount: number };
  readonly encoding: boolean;
  readonly approaches = false;
  readonly linkBytesPerSecond: number | undefined = undefined;
  readonly sends: SendCall[] = [];
  readonly calls: string[] = [];
  pendingAtSwitchover: PageSet | undefined;
  /** Called with the number of the send before it begins. */
  onSend: (send: number) => void = () => {};

  readonly #guest: SimulatedGuest;
  readonly #link: SimulatedLink;
  readonly #source: Uint32Array;
  readonly #destination: Uint32Array;
  readonly #present: PageSet;
  readonly #dirty: PageSet;
  #nowMs = 1_000;
  #writeCount = 0;
  #writtenUntilMs = 1_000;
  #tracking = false;

  constructor(
    guest: SimulatedGuest,
    link: SimulatedLink,
    budget: Budget,
    signal: AbortSignal = new AbortController().signal,
  ) {
    this.#guest = guest;
    this.#link = link;
    this.budget = budget;
    this.signal = signal;
    this.encoding = link.encoding ?? false;
    this.memory = { pageSizeBytes: PAGE_BYTES, pageCount: guest.pageCount };
    this.#source = new Uint32Array(guest.pageCount);
    this.#destination = new Uint32Array(guest.pageCount);
    this.#present = PageSet.empty(guest.pageCount);
    this.#dirty = PageSet.empty(guest.pageCount);
    for (const [firstPage, pageCount] of guest.present) {
      this.#present.addRun(firstPage, pageCount);
      this.#source.fill(1, firstPage, firstPage + pageCount);
    }
    this.clock = { nowMs: () => this.#nowMs, delay: async (delayMs) => this.#pass(delayMs) };
  }

  get elapsedMs(): number {
    return this.#nowMs - 1_000;
  }

  /** Pages whose newest version is not at the destination. */
  stalePages(): number[] {
    const stale: number[] = [];
    for (const [page, version] of this.#source.entries()) if (version !== this.#destination[page]) stale.push(page);
    return stale;
  }

  async presentPages(into: PageBitmap): Promise<number> {
    this.#enter('presentPages');
    PageSet.of(into).or(this.#present);
    this.#pass(0.5);
    return this.#present.count();
  }

  async trackWrites(): Promise<void> {
    this.#enter('trackWrites');
    this.#pass(1);
    this.#tracking = true;
  }

  async collectDirty(into: PageBitmap): Promise<number> {
    this.#enter('collectDirty');
    this.#pass(0.1);
    return PageSet.of(into).fetchAndClear(this.#dirty);
  }

  async send(runs: PageRuns, options: SendOptions): Promise<SendResult> {
    this.onSend(this.sends.length);
    this.#enter('send');
    return this.#transfer(runs, options.encode);
  }

  async switchover(options: SwitchoverOptions): Promise<SwitchoverResult> {
    this.#enter('switchover');
    const pending = PageSet.of(options.pending).clone();
    this.pendingAtSwitchover = pending.clone();
    pending.fetchAndClear(this.#dirty);
    this.#writtenUntilMs = Number.POSITIVE_INFINITY;
    const sent = this.#transfer(pending.toRuns(), options.encode);
    this.#nowMs += 0.4;
    const blackoutPhases = { pauseMs: 0.1, collectMs: 0.1, sendMs: sent.elapsedMs, stateMs: 0.1, startMs: 0.1 };
    return { ...sent, blackoutMs: sent.elapsedMs + 0.4, blackoutPhases, approach: [] };
  }

  #transfer(runs: PageRuns, encode: boolean): SendResult {
    const startMs = this.#nowMs;
    const pages = [...PageSet.fromRuns(this.memory.pageCount, runs).pages()];
    this.sends.push({ encode, pages: pagesInOrder(runs), startMs });
    let [rawPages, deltaPages, wireBytes] = [0, 0, 16];
    const versions = pages.map((page) => this.#source[page] ?? 0);
    for (const page of pages) {
      const delta = encode && this.encoding && this.#cached.has(page);
      if (delta) deltaPages++;
      else rawPages++;
      if (encode) this.#cached.add(page);
      wireBytes += delta ? this.#guest.deltaBytes : PAGE_BYTES + 8;
    }
    const encodeMs = encode ? (pages.length * PAGE_BYTES) / ENCODE_BYTES_PER_MS : 0;
    this.#pass(this.#link.turnMs + Math.max(wireBytes / this.#link.bytesPerMs, encodeMs));
    for (const [index, page] of pages.entries()) this.#destination[page] = versions[index] ?? 0;
    const elapsedMs = this.#nowMs - startMs;
    return { zeroPages: 0, rawPages, deltaPages, unchangedPages: 0, wireBytes, elapsedMs };
  }

  readonly #cached = new Set<number>();

  #enter(call: string): void {
    this.signal.throwIfAborted();
    this.calls.push(call);
  }

  #pass(ms: number): void {
    this.#nowMs += ms;
    if (this.#nowMs <= this.#writtenUntilMs) return;
    const writes = Math.floor((this.#nowMs - this.#writtenUntilMs) * this.#guest.writesPerMs);
    if (writes === 0) return;
    this.#writtenUntilMs = this.#nowMs;
    for (let write = 0; write < writes; write++) {
      const page = this.#guest.pageOfWrite(this.#writeCount++);
      this.#source[page] = (this.#source[page] ?? 0) + 1;
      this.#present.add(page);
      if (this.#tracking) this.#dirty.add(page);
    }
  }
}

/** Runs a strategy to its end and returns what it told. */
export async function eventsOf(strategy: Strategy, context: MigrationContext): Promise<MigrationEvent[]> {
  const events: MigrationEvent[] = [];
  for await (const event of strategy.run(context)) events.push(event);
  return events;
}

function pagesInOrder(runs: PageRuns): number[] {
  const pages: number[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    for (let page = 0; page < (runs[index + 1] ?? 0); page++) pages.push((runs[index] ?? 0) + page);
  }
  return pages;
}
