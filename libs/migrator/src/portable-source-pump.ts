import { PageSet } from '@godwit/page-set';
import { type DirtyTracker, GodwitError, isGodwitError, type SwitchoverOptions } from '@godwit/ports';
import { HEADER_BYTES } from './frame.ts';
import type { FrameLink } from './frame-link.ts';
import { ForgottenPages, TornPage } from './injected-fault.ts';
import { type PageHash, PORTABLE_DIGEST } from './page-hash.ts';
import { type Delta, encodeDeltas, encodeRuns } from './page-table.ts';
import { portableMemory } from './portable-memory.ts';
import type { Moved, PumpCounters, SourcePump, SwitchoverOutcome, Verification } from './pump.ts';
import type { SourcePumpParts } from './source-pump-parts.ts';

const BATCH_BYTES = 1 << 20;
const DIGEST_ENTRIES_MAX = 65_536;

/**
 * The sender's half in TypeScript, for guests, transports or codecs without native capsules. It speaks the same protocol
 * as the native pump, page by page through JavaScript, and is slower by an order of magnitude.
 */
export class PortableSourcePump implements SourcePump {
  readonly backend = 'typescript';
  /** Its turns would be rounds, with JavaScript in between. */
  readonly approaches = false;
  readonly digest: string = PORTABLE_DIGEST;
  readonly #parts: SourcePumpParts;
  readonly #hash: PageHash;
  readonly #live: Uint8Array;
  /** What is sent: the live memory, or the tracker's snapshot of it once it has one. */
  #bytes: Uint8Array;
  readonly #forgotten: ForgottenPages | undefined;
  readonly #torn: TornPage | undefined;
  readonly #counters = { zeroPages: 0, rawPages: 0, deltaPages: 0, unchangedPages: 0, deltaBytes: 0, zeroBytes: 0 };
  #link: FrameLink;
  /** Over connections that were left for another. */
  #bytesSentBefore = 0;
  #nextSync = 0;
  #decided: 'open' | 'cancelled' | 'committed' = 'open';

  constructor(parts: SourcePumpParts, hash: PageHash) {
    this.#parts = parts;
    this.#hash = hash;
    this.#link = parts.link;
    this.#live = portableMemory(parts.guest.memory);
    this.#bytes = this.#live;
    const { forgetOneIn, tearPage } = parts.faults;
    this.#forgotten = forgetOneIn === undefined ? undefined : new ForgottenPages(forgetOneIn);
    this.#torn = tearPage === true ? new TornPage() : undefined;
  }

  async present(): Promise<PageSet> {
    const present = PageSet.empty(this.#parts.guest.memory.pageCount);
    await this.#parts.guest.memory.present(present);
    return present;
  }

  async trackWrites(): Promise<void> {
    const tracker = this.#tracker();
    await tracker.start();
    this.#bytes = tracker.snapshot ?? this.#live;
  }

  async stopTracking(): Promise<void> {
    await this.#parts.tracker?.stop();
  }

  async collect(): Promise<PageSet> {
    const dirty = PageSet.empty(this.#parts.guest.memory.pageCount);
    await this.#tracker().collect(dirty);
    this.#forgotten?.takeFrom(dirty);
    return dirty;
  }

  async send(runs: Uint32Array, encode: boolean): Promise<void> {
    await this.#sendRuns(runs, encode, false);
    const number = Buffer.alloc(4);
    number.writeUInt32LE(this.#nextSync);
    this.#nextSync = (this.#nextSync + 1) >>> 0;
    await this.#link.send('SYNC', number);
    await this.#link.expect('SYNCED', number);
  }

  async switchover({ pending, encode }: SwitchoverOptions, epoch: number): Promise<SwitchoverOutcome> {
    const { guest } = this.#parts;
    const epochBytes = Buffer.alloc(8);
    epochBytes.writeBigUInt64LE(BigInt(epoch));
    const pausedAtNs = process.hrtime.bigint();
    const phases = { pauseMs: 0, collectMs: 0, sendMs: 0, stateMs: 0, startMs: 0 };
    const wireBefore = this.#wireBytes();
    let pages = 0;
    let stateBytes = 0;
    let markNs = pausedAtNs;
    const lap = (): number => {
      const [before, now] = [markNs, process.hrtime.bigint()];
      markNs = now;
      return Number(now - before) / 1e6;
    };
    try {
      await guest.pause();
      phases.pauseMs = lap();
      const last = PageSet.of(pending).clone();
      if (this.#parts.tracker !== undefined) last.or(await this.collect());
      pages = last.count();
      phases.collectMs = lap();
      await this.#sendRuns(last.toRuns(), encode, true);
      phases.sendMs = lap();
      const state = await guest.saveState();
      stateBytes = state.length;
      await this.#link.send('STATE', Buffer.concat([epochBytes, state]));
      await this.#link.expect('READY', epochBytes);
      phases.stateMs = lap();
      if (this.#decided !== 'open') throw cancelled();
      this.#decided = 'committed';
    } catch (error) {
      return { outcome: 'resumed', error: await this.#resumeAfter(error) };
    }
    const wireBytes = this.#wireBytes() - wireBefore;
    const moved = (startedAtNs: bigint, destinationCpuSeconds: number): Moved => ({
      blackoutMs: Number(startedAtNs - pausedAtNs) / 1e6,
      approach: [],
      blackoutPhases: { ...phases, startMs: Number(startedAtNs - markNs) / 1e6 },
      wireBytes,
      stateBytes,
      pages,
      destinationCpuSeconds,
    });
    // What the destination says of the time can only lie between COMMIT and now.
    const startOf = (there: bigint | undefined): bigint => {
      const now = process.hrtime.bigint();
      return this.#parts.sameClock && there !== undefined && there >= markNs && there <= now ? there : now;
    };
    try {
      await this.#link.send('COMMIT', epochBytes);
      const running = Buffer.from(await this.#link.expect('RUNNING', epochBytes));
      if (running.length !== 24) throw new GodwitError('ERR_GODWIT_PROTOCOL', 'a RUNNING frame of a wrong length');
      const destinationCpuSeconds = Number(running.readBigUInt64LE(16)) / 1e6;
      return { outcome: 'running', moved: moved(startOf(running.readBigUInt64LE(8)), destinationCpuSeconds) };
    } catch (error) {
      return {
        outcome: 'in-doubt',
        error: asError(error),
        completed: (startedAtNs) => moved(startOf(startedAtNs === undefined ? undefined : BigInt(startedAtNs)), 0),
      };
    }
  }

  async verify(): Promise<Verification> {
    const entries: { page: number; hash: bigint }[] = [];
    let named = 0;
    const flush = async (): Promise<void> => {
      const body = Buffer.alloc(4 + entries.length * 16);
      body.writeUInt32LE(entries.length);
      entries.forEach(({ page, hash }, index) => {
        body.writeUInt32LE(page, 4 + index * 16);
        body.writeBigUInt64LE(hash, 12 + index * 16);
      });
      entries.length = 0;
      await this.#link.send('DIGEST', body);
    };
    for (const page of (await this.present()).pages()) {
      // The guest's own memory, whatever the pages were sent from: only that notices a snapshot that went wrong.
      const hash = this.#hash(this.#page(page, this.#live));
      if (hash === 0n) continue;
      entries.push({ page, hash });
      named += 1;
      if (entries.length === DIGEST_ENTRIES_MAX) await flush();
    }
    await flush();
    const end = Buffer.alloc(8);
    end.writeBigUInt64LE(BigInt(named));
    await this.#link.send('DIGEST_END', end);
    const verdict = Buffer.from(await this.#link.expect('VERIFIED'));
    if (verdict.length < 16 || verdict.length % 8 !== 0) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', 'a VERIFIED frame of a wrong length');
    }
    const numbers = Array.from({ length: verdict.length / 8 }, (_, index) =>
      Number(verdict.readBigUInt64LE(index * 8)),
    );
    const [comparedPages = 0, mismatchedPages = 0, ...namedPages] = numbers;
    if (comparedPages < named) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', 'the destination compared fewer pages than it was told of');
    }
    return { comparedPages, mismatchedPages, namedPages };
  }

  async finish(): Promise<void> {
    await this.#link.send('DONE');
  }

  close(): void {
    // The collector knows of everything here.
  }

  cancel(): boolean {
    if (this.#decided === 'committed') return false;
    this.#decided = 'cancelled';
    this.#link.connection.interrupt();
    return true;
  }

  counters(): PumpCounters {
    return { ...this.#counters, wireBytes: this.#wireBytes() };
  }

  relink(link: FrameLink): void {
    this.#bytesSentBefore += this.#link.connection.counters().bytesSent;
    this.#link = link;
  }

  #wireBytes(): number {
    return this.#bytesSentBefore + this.#link.connection.counters().bytesSent;
  }

  #tracker(): DirtyTracker {
    const { tracker } = this.#parts;
    if (tracker === undefined) throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'this guest has no dirty tracker');
    return tracker;
  }

  #page(page: number, bytes: Uint8Array = this.#bytes): Uint8Array {
    const { pageSizeBytes } = this.#parts.guest.memory;
    return bytes.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes);
  }

  async #sendRuns(runs: Uint32Array, encode: boolean, last: boolean): Promise<void> {
    const { scanner, guest, encoder } = this.#parts;
    const { pageSizeBytes, pageCount } = guest.memory;
    const wanted = PageSet.fromRuns(pageCount, runs);
    const zero = PageSet.empty(pageCount);
    // Looked at before anything is sent: a page that is written meanwhile is dirty and comes again.
    scanner.scan(this.#bytes, pageSizeBytes, zero, wanted);
    if (!zero.isEmpty()) {
      for (const page of zero.pages()) encoder?.forget(page);
      this.#counters.zeroPages += zero.count();
      const body = encodeRuns([...zero.toRuns()]);
      this.#counters.zeroBytes += HEADER_BYTES + body.length;
      await this.#link.send('ZERO', body);
    }
    let batch: number[] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const first = runs[index] ?? 0;
      for (let page = first; page < first + (runs[index + 1] ?? 0); page += 1) {
        if (zero.has(page)) continue;
        batch.push(page);
        if (batch.length >= BATCH_BYTES / pageSizeBytes) {
          await this.#sendBatch(batch, encode, last);
          batch = [];
        }
      }
    }
    if (batch.length > 0) await this.#sendBatch(batch, encode, last);
  }

  async #sendBatch(pages: readonly number[], encode: boolean, last: boolean): Promise<void> {
    if (this.#decided === 'cancelled') throw cancelled();
    if (!last) for (const page of pages) this.#torn?.remember(page, this.#page(page));
    const { encoder } = this.#parts;
    const { pageSizeBytes } = this.#parts.guest.memory;
    const raw: { page: number; bytes: Uint8Array }[] = [];
    const deltas: Delta[] = [];
    for (const page of pages) {
      if (!encode || encoder === undefined) {
        encoder?.forget(page);
        raw.push({ page, bytes: last && this.#torn ? this.#torn.tear(page, this.#page(page)) : this.#page(page) });
        continue;
      }
      const into = new Uint8Array(pageSizeBytes);
      const coded = encoder.encode(page, this.#page(page), into);
      if (coded.outcome === 'raw') raw.push({ page, bytes: into });
      else if (coded.outcome === 'delta') deltas.push({ page, bytes: into.subarray(0, coded.lengthBytes) });
      else this.#counters.unchangedPages += 1;
    }
    if (raw.length > 0) {
      this.#counters.rawPages += raw.length;
      const runs = raw.flatMap(({ page }) => [page, 1]);
      await this.#link.send(
        'PAGES',
        encodeRuns(runs),
        raw.map(({ bytes }) => bytes),
      );
    }
    if (deltas.length > 0) {
      this.#counters.deltaPages += deltas.length;
      this.#counters.deltaBytes += deltas.reduce((sum, { bytes }) => sum + bytes.length, 0);
      await this.#link.send('DELTA', encodeDeltas(deltas));
    }
  }

  async #resumeAfter(error: unknown): Promise<Error> {
    try {
      await this.#parts.guest.resume();
      await this.#parts.guest.announce().catch(() => {});
      return asError(error);
    } catch (cause) {
      return new GodwitError(
        'ERR_GODWIT_GUEST_LOST',
        `the guest could not be resumed after: ${asError(error).message}`,
        { cause },
      );
    }
  }
}

function cancelled(): GodwitError {
  return new GodwitError('ERR_GODWIT_INTERRUPTED', 'the migration was cancelled');
}

function asError(error: unknown): Error {
  return error instanceof Error || isGodwitError(error) ? (error as Error) : new Error(String(error));
}
