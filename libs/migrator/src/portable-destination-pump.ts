import { PageSet } from '@godwit/page-set';
import { GodwitError, isGodwitError } from '@godwit/ports';
import type { DestinationPumpParts } from './destination-pump-parts.ts';
import { type Frame, type FrameLink, peerFailure } from './frame-link.ts';
import { StalePage } from './injected-fault.ts';
import type { PageHash } from './page-hash.ts';
import { decodeDeltas, decodeRuns } from './page-table.ts';
import { portableMemory } from './portable-memory.ts';
import type { Arrived, DestinationPump, EpochFate, Verification } from './pump.ts';
import { StartGate } from './start-gate.ts';

const NAMED_PAGES_MAX = 16;

/** The receiver's half in TypeScript; see `PortableSourcePump`. */
export class PortableDestinationPump implements DestinationPump {
  readonly backend = 'typescript';
  readonly #parts: DestinationPumpParts;
  readonly #hash: PageHash;
  readonly #bytes: Uint8Array;
  readonly #gate: StartGate;
  /** By page, what was installed last; 0n for never, or zero. */
  #hashes: BigUint64Array;
  readonly #stale: StalePage | undefined;
  readonly #cpuBefore = process.cpuUsage();
  readonly #arrived: { readonly epoch: number; rawPages: number; zeroPages: number; deltaPages: number };
  #link: FrameLink;
  #ready = false;

  constructor(parts: DestinationPumpParts, hash: PageHash) {
    this.#parts = parts;
    this.#hash = hash;
    this.#link = parts.link;
    this.#arrived = { epoch: parts.epoch, rawPages: 0, zeroPages: 0, deltaPages: 0 };
    this.#bytes = portableMemory(parts.guest.memory);
    this.#gate = new StartGate(parts.journalPath, parts.session);
    this.#hashes = new BigUint64Array(parts.verify ? parts.guest.memory.pageCount : 0);
    this.#stale = parts.faults.keepStalePage === true ? new StalePage() : undefined;
  }

  async run(): Promise<Arrived> {
    try {
      while (!(await this.#handle(await this.#link.receive()))) {
        // Until the guest runs.
      }
      return this.#arrived;
    } catch (error) {
      this.#gate.renounce(this.#arrived.epoch);
      if (!isGodwitError(error, 'ERR_GODWIT_PEER_FAILED')) await this.#link.sendFailure(error);
      throw error;
    }
  }

  renounce(epoch: number): EpochFate {
    return this.#gate.renounce(epoch);
  }

  close(): void {
    this.#hashes = new BigUint64Array(0);
  }

  interrupt(): void {
    this.#link.connection.interrupt();
  }

  relink(link: FrameLink): void {
    this.#link = link;
  }

  async finish(): Promise<Verification | undefined> {
    const compared = PageSet.empty(this.#parts.guest.memory.pageCount);
    const namedPages: number[] = [];
    let comparedPages = 0;
    let mismatchedPages = 0;
    const compare = (page: number, hash: bigint): void => {
      comparedPages += 1;
      if (this.#hashes[page] === hash) return;
      mismatchedPages += 1;
      if (namedPages.length < NAMED_PAGES_MAX) namedPages.push(page);
    };
    for (;;) {
      const frame = await this.#link.receive();
      const body = Buffer.from(frame.body);
      if (frame.name === 'DIGEST_END' && body.length === 8) {
        if (body.readBigUInt64LE(0) === BigInt(comparedPages)) break;
        throw new GodwitError('ERR_GODWIT_PROTOCOL', 'a digest of fewer or more pages than it says');
      }
      // Guests of this pump have no device that could take late frames; networks lose some.
      if (frame.name === 'LATE') continue;
      if (frame.name === 'FAILED') throw peerFailure(body);
      if (frame.name === 'DONE') return undefined;
      if (
        !this.#parts.verify ||
        frame.name !== 'DIGEST' ||
        body.length < 4 ||
        body.length - 4 !== body.readUInt32LE(0) * 16
      ) {
        throw new GodwitError('ERR_GODWIT_PROTOCOL', `the source sent ${frame.name} instead of its digest`);
      }
      for (let offset = 4; offset < body.length; offset += 16) {
        const page = body.readUInt32LE(offset);
        if (page >= compared.pageCount)
          throw new GodwitError('ERR_GODWIT_PAGE_RANGE', 'a DIGEST names a page outside memory');
        if (compared.has(page)) throw new GodwitError('ERR_GODWIT_PROTOCOL', 'a digest that names a page twice');
        compared.add(page);
        compare(page, body.readBigUInt64LE(offset + 8));
      }
    }
    this.#hashes.forEach((hash, page) => {
      if (hash !== 0n && !compared.has(page)) compare(page, 0n);
    });
    const answer = Buffer.alloc(16 + namedPages.length * 8);
    [comparedPages, mismatchedPages, ...namedPages].forEach((value, index) => {
      answer.writeBigUInt64LE(BigInt(value), index * 8);
    });
    await this.#link.send('VERIFIED', answer);
    return { comparedPages, mismatchedPages, namedPages };
  }

  /** True when the guest runs. */
  async #handle(frame: Frame): Promise<boolean> {
    const { name, body } = frame;
    if (name === 'PAGES' && !this.#ready) await this.#installPages(frame);
    else if (name === 'ZERO' && !this.#ready) this.#installZeroes(body);
    else if (name === 'DELTA' && !this.#ready) this.#installDeltas(body);
    else if (name === 'SYNC' && body.length === 4) await this.#link.send('SYNCED', body);
    else if (name === 'STATE' && !this.#ready && this.#namesEpoch(body)) {
      await this.#parts.guest.loadState(body.subarray(8));
      this.#ready = true;
      await this.#link.send('READY', body.slice(0, 8));
    } else if (name === 'COMMIT' && this.#ready && body.length === 8 && this.#namesEpoch(body)) {
      await this.#start(this.#arrived.epoch);
      return true;
    } else if (name === 'FAILED') throw peerFailure(body);
    else throw new GodwitError('ERR_GODWIT_PROTOCOL', `the source sent ${name} of ${body.length} bytes out of turn`);
    return false;
  }

  #namesEpoch(body: Uint8Array): boolean {
    return body.length >= 8 && Buffer.from(body).readBigUInt64LE(0) === BigInt(this.#arrived.epoch);
  }

  async #start(epoch: number): Promise<void> {
    const { guest } = this.#parts;
    if (!(await this.#gate.start(epoch, () => guest.resume()))) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', 'COMMIT for an epoch that was renounced');
    }
    const cpu = process.cpuUsage(this.#cpuBefore);
    const running = Buffer.alloc(24);
    running.writeBigUInt64LE(BigInt(epoch));
    running.writeBigUInt64LE(this.#gate.startedAtNs, 8);
    running.writeBigUInt64LE(BigInt(cpu.user + cpu.system), 16);
    // Both only tell others; the guest runs, so neither's failure may end it.
    await Promise.allSettled([guest.announce(), this.#link.send('RUNNING', running)]);
  }

  async #installPages({ body, rawBytes }: Frame): Promise<void> {
    const { pageSizeBytes, pageCount } = this.#parts.guest.memory;
    const runs = decodeRuns(body, pageCount);
    let pages = 0;
    for (let index = 1; index < runs.length; index += 2) pages += runs[index] ?? 0;
    if (pages * pageSizeBytes !== rawBytes) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', 'PAGES whose length is not that of its pages');
    }
    const received = new Uint8Array(rawBytes);
    await this.#link.receiveRaw(received);
    let offset = 0;
    for (const page of pagesOf(runs)) {
      this.#install(page, (bytes) => bytes.set(received.subarray(offset, offset + pageSizeBytes)));
      offset += pageSizeBytes;
    }
    this.#arrived.rawPages += pages;
  }

  #installZeroes(body: Uint8Array): void {
    for (const page of pagesOf(decodeRuns(body, this.#parts.guest.memory.pageCount))) {
      this.#install(page, (bytes) => bytes.fill(0));
      this.#arrived.zeroPages += 1;
    }
  }

  #installDeltas(body: Uint8Array): void {
    const { decoder, guest } = this.#parts;
    if (decoder === undefined) throw new GodwitError('ERR_GODWIT_PROTOCOL', 'DELTA where no codec was agreed on');
    for (const { page, bytes: delta } of decodeDeltas(body, guest.memory.pageCount, guest.memory.pageSizeBytes)) {
      this.#install(page, (bytes) => decoder.decode(delta, bytes));
      this.#arrived.deltaPages += 1;
    }
  }

  /** Hashes what memory holds afterwards, not what was received: only that notices an installation that went wrong. */
  #install(page: number, write: (bytes: Uint8Array) => void): void {
    const { pageSizeBytes } = this.#parts.guest.memory;
    const bytes = this.#bytes.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes);
    if (this.#stale?.keeps(page, (this.#hashes[page] ?? 0n) !== 0n)) return;
    write(bytes);
    if (this.#parts.verify) this.#hashes[page] = this.#hash(bytes);
  }
}

function* pagesOf(runs: Uint32Array): Generator<number, void, void> {
  for (let index = 0; index < runs.length; index += 2) {
    const first = runs[index] ?? 0;
    for (let page = first; page < first + (runs[index + 1] ?? 0); page += 1) yield page;
  }
}
