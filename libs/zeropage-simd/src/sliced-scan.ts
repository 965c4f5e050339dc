import { GodwitError } from '@godwit/ports';
import { checkRuns, wordCountOf } from './scan-arguments.ts';
import { type EngineFindings, type EngineStatistics, NOT_LOOKED_AT, type ScanRequest } from './scan-engine.ts';
import type { ScanTask } from './scan-task.ts';
import { SlicePace } from './slice-pace.ts';

/** A slice has whole pairs of words of the bitmaps. */
const PAGES_PER_SLICE_MIN = 64;
const SLICE_BYTES_MAX = 64 * 2 ** 20;
/** Smaller slices do not repay asking the page tables, nor finding out of what mappings the memory consists. */
const ASKED_SLICE_BYTES_MIN = 2 * 2 ** 20;
/** Noting a run of candidates takes about as long as looking at so much memory. */
const BYTES_PER_RUN = 64;
/** Of larger pages a slice is a part: 64 units. */
const UNIT_BYTES = 256 * 2 ** 10;
const UNITS_PER_SLICE = 64;
/** From here on the page tables are worth asking, slice by slice. */
const MUCH_BYTES = 64 * 2 ** 20;

/**
 * Looks at memory on the JavaScript thread, in slices of about a millisecond. Between them the event loop turns, and the
 * memory may have been moved, detached or resized: it is looked up anew for each.
 */
export async function scanInSlices(task: ScanTask, wantsOffsets: boolean): Promise<EngineFindings> {
  const slices = new SlicedScan(task, wantsOffsets);
  await slices.noteRuns();
  await (task.pageSizeBytes > UNIT_BYTES ? slices.scanLargePages() : slices.scanPages());
  return slices.findings();
}

class SlicedScan {
  readonly #task: ScanTask;
  readonly #request: ScanRequest;
  /** The candidates as a bitmap of our own; undefined for all pages. */
  readonly #wanted: Uint32Array | undefined;
  readonly #runs: Uint32Array | undefined;
  readonly #words: Uint32Array;
  readonly #offsets: Uint32Array | undefined;
  readonly #pace = new SlicePace();
  #statistics: EngineStatistics | undefined;
  #zeroPageCount = 0;
  #readPageCount = 0;
  #untouchedPageCount = 0;

  constructor(task: ScanTask, wantsOffsets: boolean) {
    const { request, pageCount, pageSizeBytes } = task;
    this.#task = task;
    const { candidates, areRuns } = request;
    const isSliceOnePage = pageSizeBytes > UNIT_BYTES && pageSizeBytes < ASKED_SLICE_BYTES_MIN;
    // Other threads may write them: what is checked is the copy.
    const copy = candidates && new Uint32Array(candidates);
    if (areRuns && copy !== undefined) checkRuns(copy, pageCount);
    this.#runs = areRuns ? copy : undefined;
    this.#wanted = areRuns ? new Uint32Array(wordCountOf(pageCount)) : copy;
    this.#request = {
      ...request,
      candidates: undefined,
      areRuns: false,
      isPartOfMuch: pageCount * pageSizeBytes >= MUCH_BYTES && !isSliceOnePage,
    };
    this.#words = new Uint32Array(wordCountOf(pageCount));
    this.#offsets = wantsOffsets ? new Uint32Array(pageCount).fill(NOT_LOOKED_AT) : undefined;
  }

  findings(): EngineFindings {
    const nothing = { untouchedBy: 'nothing', because: 'there are no pages', threadCount: 1 } as const;
    const statistics: EngineStatistics = {
      ...(this.#statistics ?? nothing),
      zeroPageCount: this.#zeroPageCount,
      readPageCount: this.#readPageCount,
      untouchedPageCount: this.#untouchedPageCount,
    };
    return { statistics, words: this.#words, firstNonZeroBytes: this.#offsets };
  }

  /** Makes one bitmap of runs of candidates. */
  async noteRuns(): Promise<void> {
    const [runs, wanted] = [this.#runs, this.#wanted];
    if (runs === undefined || wanted === undefined) return;
    for (let index = 0; index < runs.length; index += 2) {
      const [firstPage = 0, pageCount = 0] = [runs[index], runs[index + 1]];
      setBits(wanted, firstPage, firstPage + pageCount);
      this.#pace.spend(BYTES_PER_RUN + pageCount / 8);
      if (this.#pace.isSpent()) await this.#turn();
    }
  }

  async scanPages(): Promise<void> {
    const { engine, pageSizeBytes, pageCount } = this.#task;
    const bytesMin = this.#isAsked() ? ASKED_SLICE_BYTES_MIN : 0;
    const pagesMin = Math.max(bytesMin / pageSizeBytes, PAGES_PER_SLICE_MIN);
    const pagesMax = Math.max(SLICE_BYTES_MAX / pageSizeBytes, PAGES_PER_SLICE_MIN);
    for (let page = 0; page < pageCount; ) {
      const paced = Math.floor(this.#pace.bytes / pageSizeBytes / PAGES_PER_SLICE_MIN) * PAGES_PER_SLICE_MIN;
      const count = Math.min(Math.max(paced, pagesMin), pagesMax, pageCount - page);
      const ofSlice = (words: Uint32Array): Uint32Array => words.subarray(page / 32, page / 32 + wordCountOf(count));
      const statistics = this.#pace.measure(count * pageSizeBytes, () =>
        engine.scan(
          this.#bytes(page * pageSizeBytes, count * pageSizeBytes),
          pageSizeBytes,
          ofSlice(this.#words),
          { ...this.#request, candidates: this.#wanted && ofSlice(this.#wanted) },
          this.#offsets?.subarray(page, page + count),
        ),
      );
      this.#note(statistics);
      this.#zeroPageCount += statistics.zeroPageCount;
      this.#readPageCount += statistics.readPageCount;
      this.#untouchedPageCount += statistics.untouchedPageCount;
      page += count;
      if (page < pageCount) await this.#turn();
    }
  }

  async scanLargePages(): Promise<void> {
    for (let page = 0; page < this.#task.pageCount; page++) {
      const word = page >>> 5;
      if (this.#wanted !== undefined && (((this.#wanted[word] ?? 0) >>> (page & 31)) & 1) === 0) continue;
      const { offset, wasRead } = await this.#scanLargePage(page);
      if (wasRead) this.#readPageCount++;
      else this.#untouchedPageCount++;
      if (this.#offsets !== undefined) this.#offsets[page] = offset;
      if (offset < this.#task.pageSizeBytes) continue;
      this.#words[word] = (this.#words[word] ?? 0) | (1 << (page & 31));
      this.#zeroPageCount++;
    }
  }

  /** Looks at a page slice by slice, until one is not zero. */
  async #scanLargePage(page: number): Promise<{ offset: number; wasRead: boolean }> {
    const { engine, pageSizeBytes } = this.#task;
    const sliceBytes = Math.min(pageSizeBytes, UNITS_PER_SLICE * UNIT_BYTES);
    const units = sliceBytes / UNIT_BYTES;
    const offsets = new Uint32Array(units);
    let wasRead = false;
    for (let at = 0; at < pageSizeBytes; at += sliceBytes) {
      // Here rather than after a slice, as most pages end with their first.
      if (this.#pace.isDue()) await this.#turn();
      const zero = new Uint32Array(wordCountOf(units));
      const statistics = this.#pace.measure(sliceBytes, () =>
        engine.scan(this.#bytes(page * pageSizeBytes + at, sliceBytes), UNIT_BYTES, zero, this.#request, offsets),
      );
      this.#note(statistics);
      wasRead ||= statistics.readPageCount > 0;
      const unit = offsets.findIndex((offset) => offset < UNIT_BYTES);
      if (unit >= 0) return { offset: at + unit * UNIT_BYTES + (offsets[unit] ?? 0), wasRead };
    }
    return { offset: pageSizeBytes, wasRead };
  }

  /** Whether the page tables are asked, slice by slice. */
  #isAsked(): boolean {
    const { untouched, isPartOfMuch } = this.#request;
    return untouched === 'auto' ? isPartOfMuch : untouched !== 'read';
  }

  #note(statistics: EngineStatistics): void {
    if (this.#statistics === undefined || this.#statistics.untouchedBy === 'nothing') this.#statistics = statistics;
  }

  /** A part of the memory as it is now. */
  #bytes(startBytes: number, lengthBytes: number): Uint8Array {
    const { memory, pageCount, pageSizeBytes } = this.#task;
    const bytes = bytesNow(() => memory.bytes());
    if (bytes.byteLength < pageCount * pageSizeBytes) {
      throw new GodwitError('ERR_GODWIT_MEMORY_CHANGED', 'the memory was detached or shrank during the scan');
    }
    return bytes.subarray(startBytes, startBytes + lengthBytes);
  }

  async #turn(): Promise<void> {
    await eventLoopTurn();
    this.#pace.begin();
    this.#task.signal?.throwIfAborted();
  }
}

function bytesNow(bytes: () => Uint8Array): Uint8Array {
  try {
    return bytes();
  } catch (cause) {
    throw new GodwitError('ERR_GODWIT_MEMORY_CHANGED', 'the memory was detached during the scan', { cause });
  }
}

/** Sets the bits from `first` up to `end`, a word at a time. */
function setBits(words: Uint32Array, first: number, end: number): void {
  if (first >= end) return;
  const [firstWord, lastWord] = [first >>> 5, (end - 1) >>> 5];
  const head = -1 << (first & 31);
  const tail = -1 >>> (31 - ((end - 1) & 31));
  if (firstWord === lastWord) {
    words[firstWord] = (words[firstWord] ?? 0) | (head & tail);
    return;
  }
  words[firstWord] = (words[firstWord] ?? 0) | head;
  words.fill(0xffff_ffff, firstWord + 1, lastWord);
  words[lastWord] = (words[lastWord] ?? 0) | tail;
}

function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
