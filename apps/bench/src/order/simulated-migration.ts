import { PageSet } from '@godwit/page-set';
import type {
  Budget,
  Clock,
  MigrationContext,
  PageBitmap,
  PageRuns,
  SendResult,
  SwitchoverOptions,
  SwitchoverResult,
} from '@godwit/ports';
import type { PageWriter } from './page-writer.ts';

/** What is simulated. */
export interface SimulatedGuest {
  /** All of it populated. */
  readonly pageCount: number;
  readonly writer: PageWriter;
  readonly writesPerSecond: number;
  /** The link carries so many. */
  readonly pagesPerSecond: number;
  readonly budget: Budget;
}

/** What a simulated migration came to. */
export interface SimulatedOutcome {
  /** Sends of pages that were sent before, the blackout's included. */
  readonly resentPages: number;
  /** Sent with the guest stopped. */
  readonly blackoutPages: number;
  readonly rounds: number;
  readonly totalMs: number;
  /** Pages whose newest version is not at the destination: anything but 0 is a defect. */
  readonly stalePages: number;
}

const PAGE_BYTES = 4096;
/** Pages read at one moment; while they are on the link the guest writes on. */
const BATCH_PAGES = 64;

/**
 * A migration of a simulated guest over a simulated link, for strategies and orders as they are. Time passes only while
 * pages are on the link: what a round costs besides its pages is not what is compared here.
 */
export class SimulatedMigration implements MigrationContext {
  readonly clock: Clock;
  readonly budget: Budget;
  readonly signal: AbortSignal = new AbortController().signal;
  readonly memory: { readonly pageSizeBytes: number; readonly pageCount: number };
  readonly encoding = false;
  readonly approaches = false;
  readonly linkBytesPerSecond: number;
  readonly #guest: SimulatedGuest;
  readonly #dirty: PageSet;
  readonly #versions: Uint32Array;
  readonly #arrived: Uint32Array;
  readonly #sends: Uint32Array;
  #nowMs = 0;
  #owedWrites = 0;
  #blackoutPages = 0;

  constructor(guest: SimulatedGuest) {
    this.#guest = guest;
    this.budget = guest.budget;
    this.memory = { pageSizeBytes: PAGE_BYTES, pageCount: guest.pageCount };
    this.linkBytesPerSecond = guest.pagesPerSecond * PAGE_BYTES;
    this.#dirty = PageSet.empty(guest.pageCount);
    this.#versions = new Uint32Array(guest.pageCount).fill(1);
    this.#arrived = new Uint32Array(guest.pageCount);
    this.#sends = new Uint32Array(guest.pageCount);
    this.clock = {
      nowMs: () => this.#nowMs,
      delay: async (delayMs) => this.#pass(delayMs),
    };
  }

  /** As of now; of use when the strategy is done. */
  outcome(rounds: number): SimulatedOutcome {
    let [resentPages, stalePages] = [0, 0];
    for (let page = 0; page < this.#sends.length; page += 1) {
      resentPages += Math.max(0, (this.#sends[page] ?? 0) - 1);
      if (this.#versions[page] !== this.#arrived[page]) stalePages += 1;
    }
    return { resentPages, blackoutPages: this.#blackoutPages, rounds, totalMs: this.#nowMs, stalePages };
  }

  async presentPages(into: PageBitmap): Promise<number> {
    PageSet.of(into).or(PageSet.full(this.#guest.pageCount));
    return this.#guest.pageCount;
  }

  async trackWrites(): Promise<void> {
    this.#dirty.clear();
  }

  async collectDirty(into: PageBitmap): Promise<number> {
    return PageSet.of(into).fetchAndClear(this.#dirty);
  }

  async send(runs: PageRuns): Promise<SendResult> {
    return this.#send(runs, true);
  }

  async switchover({ pending }: SwitchoverOptions): Promise<SwitchoverResult> {
    const rest = PageSet.of(pending).clone().or(this.#dirty);
    this.#blackoutPages = rest.count();
    const sent = this.#send(rest.toRuns(), false);
    const blackoutPhases = { pauseMs: 0, collectMs: 0, sendMs: sent.elapsedMs, stateMs: 0, startMs: 0 };
    return { ...sent, blackoutMs: sent.elapsedMs, blackoutPhases, approach: [] };
  }

  #send(runs: PageRuns, running: boolean): SendResult {
    const startMs = this.#nowMs;
    let rawPages = 0;
    let batch: number[] = [];
    const flush = (): void => {
      // Read now; what is written on the way is not in what arrives.
      for (const page of batch) {
        this.#arrived[page] = this.#versions[page] ?? 0;
        this.#sends[page] = (this.#sends[page] ?? 0) + 1;
      }
      rawPages += batch.length;
      const elapsedMs = (batch.length / this.#guest.pagesPerSecond) * 1000;
      if (running) this.#pass(elapsedMs);
      else this.#nowMs += elapsedMs;
      batch = [];
    };
    for (let index = 0; index < runs.length; index += 2) {
      const first = runs[index] ?? 0;
      for (let page = first; page < first + (runs[index + 1] ?? 0); page += 1) {
        batch.push(page);
        if (batch.length === BATCH_PAGES) flush();
      }
    }
    flush();
    const wireBytes = rawPages * PAGE_BYTES;
    const elapsedMs = this.#nowMs - startMs;
    return { zeroPages: 0, rawPages, deltaPages: 0, unchangedPages: 0, wireBytes, elapsedMs };
  }

  /** The guest runs for so long. */
  #pass(elapsedMs: number): void {
    const { writer, writesPerSecond } = this.#guest;
    this.#nowMs += elapsedMs;
    this.#owedWrites += (writesPerSecond * elapsedMs) / 1000;
    for (; this.#owedWrites >= 1; this.#owedWrites -= 1) {
      const page = writer.next();
      this.#versions[page] = (this.#versions[page] ?? 0) + 1;
      this.#dirty.add(page);
    }
  }
}
