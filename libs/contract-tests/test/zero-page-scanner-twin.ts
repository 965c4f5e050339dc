import type {
  AsyncScanOptions,
  PageBitmap,
  PageRuns,
  ScannableMemory,
  ScanOptions,
  ZeroPageScanner,
} from '@godwit/ports';
import { GodwitError } from '@godwit/ports';
import { bitmapOf, hasPage, setPage } from '../src/plain-bitmap.ts';

export type Flaw =
  | 'has no name'
  | 'forgets the last page'
  | 'looks at the ends of a page only'
  | 'looks at every eighth byte'
  | 'leaves old bits'
  | 'sets bits beyond its pages'
  | 'ignores the candidates'
  | 'counts wrong'
  | 'wants an aligned memory'
  | 'looks at the first MiB of a page'
  | 'takes any page size'
  | 'takes any bitmap'
  | 'takes byte arrays only'
  | 'remembers how long a memory was'
  | 'counts repeated pages twice'
  | 'takes any run'
  | 'tells the word, not the byte'
  | 'tells of pages it was not asked for'
  | 'loses a page between threads'
  | 'takes any number of threads'
  | 'says nothing of how it went'
  | 'does not say why it read everything'
  | 'takes detached memory'
  | 'forgets the last page when it takes its time'
  | 'fails over no pages'
  | 'holds up the event loop'
  | 'fills the result as it goes'
  | 'reads the candidates late'
  | 'ignores the signal'
  | 'rejects with a reason of its own'
  | 'leaves half a result'
  | 'goes on over memory that is gone'
  | 'wants its memory to stay'
  | 'throws rather than rejects';

type Given = AsyncScanOptions | PageBitmap | PageRuns | undefined;

/** A scanner that works, but for one flaw. */
export function createTwin(flaw?: Flaw): ZeroPageScanner {
  const lengths = new WeakMap<object, number>();
  const bytesOf = (memory: ScannableMemory): Uint8Array => {
    const bytes = viewOf(flaw, memory);
    if (flaw !== 'remembers how long a memory was') return bytes;
    const lengthBytes = lengths.get(memory) ?? bytes.length;
    lengths.set(memory, lengthBytes);
    return bytes.subarray(0, lengthBytes);
  };
  const prepare = (
    memory: ScannableMemory,
    pageSizeBytes: number,
    into: PageBitmap,
    given: Given,
  ): { bytes: Uint8Array; options: AsyncScanOptions; pageCount: number; wanted: PageBitmap } => {
    const bytes = bytesOf(memory);
    const options = optionsOf(given);
    check(flaw, bytes, pageSizeBytes, into, options);
    const pageCount = Math.min(bytes.length / pageSizeBytes, into.pageCount);
    return { bytes, options, pageCount, wanted: wantedOf(pageCount, options.candidates) };
  };
  return {
    name: flaw === 'has no name' ? '' : 'twin',
    backend: 'typescript',
    scan(memory, pageSizeBytes, into, given) {
      const { bytes, options, pageCount, wanted } = prepare(memory, pageSizeBytes, into, given);
      return scanPages(flaw, bytes, pageSizeBytes, pageCount, into, wanted, options);
    },
    scanAsync(memory, pageSizeBytes, into, given) {
      const begin = (): Promise<number> => {
        const { bytes, options, pageCount, wanted } = prepare(memory, pageSizeBytes, into, given);
        return takeTime({ memory, bytes, pageSizeBytes, pageCount, into, wanted, options });
      };
      if (flaw === 'throws rather than rejects') return begin();
      try {
        return begin();
      } catch (error) {
        return Promise.reject(error);
      }
    },
  };

  async function takeTime(task: {
    memory: ScannableMemory;
    bytes: Uint8Array;
    pageSizeBytes: number;
    pageCount: number;
    into: PageBitmap;
    wanted: PageBitmap;
    options: AsyncScanOptions;
  }): Promise<number> {
    const { memory, pageSizeBytes, pageCount, into, options } = task;
    const { signal } = options;
    const reason = (): unknown => (flaw === 'rejects with a reason of its own' ? new Error('aborted') : signal?.reason);
    if (flaw === 'fails over no pages' && pageCount === 0) throw new RangeError('no pages');
    if (signal?.aborted && flaw !== 'ignores the signal') throw reason();
    if (flaw === 'fills the result as it goes') into.words.fill(0xffff_ffff);
    else if (flaw !== 'leaves half a result') into.words.fill(0);
    if (flaw !== 'holds up the event loop') await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted && flaw !== 'ignores the signal') throw reason();
    const now = bytesNow(memory, task.bytes);
    if (flaw === 'wants its memory to stay' && now.length !== task.bytes.length) throw new RangeError('it moved');
    const isGone = now.length < pageCount * pageSizeBytes || into.words.length < 2 * Math.ceil(pageCount / 64);
    if (isGone && flaw !== 'goes on over memory that is gone') throw new GodwitError('ERR_GODWIT_MEMORY_CHANGED');
    const wanted = flaw === 'reads the candidates late' ? wantedOf(pageCount, options.candidates) : task.wanted;
    const pages = flaw === 'forgets the last page when it takes its time' ? pageCount - 1 : pageCount;
    return scanPages(flaw, now, pageSizeBytes, pages, into, wanted, options);
  }

  function bytesNow(memory: ScannableMemory, before: Uint8Array): Uint8Array {
    try {
      return viewOf(flaw, memory);
    } catch {
      return flaw === 'goes on over memory that is gone' ? before : new Uint8Array(0);
    }
  }
}

function optionsOf(given: Given): AsyncScanOptions {
  if (given === undefined) return {};
  if (typeof given !== 'object') throw new TypeError('options');
  return given instanceof Uint32Array || 'words' in given ? { candidates: given } : given;
}

function viewOf(flaw: Flaw | undefined, memory: ScannableMemory): Uint8Array {
  if (typeof memory !== 'object' || memory === null) throw new TypeError('memory');
  if (flaw === 'takes byte arrays only' && !(memory instanceof Uint8Array)) throw new TypeError('memory');
  if ('bytes' in memory && memory.bytes instanceof Uint8Array) return memory.bytes;
  if (!ArrayBuffer.isView(memory) && 'buffer' in memory) return viewOf(flaw, memory.buffer);
  if (memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer) return new Uint8Array(memory);
  if (!ArrayBuffer.isView(memory)) throw new TypeError('memory');
  if (flaw === 'takes detached memory' && memory.buffer.byteLength === 0) return new Uint8Array(0);
  const start = flaw === 'wants an aligned memory' ? memory.byteOffset & ~7 : memory.byteOffset;
  return new Uint8Array(memory.buffer, start, memory.byteLength);
}

function wantedOf(pageCount: number, candidates: ScanOptions['candidates']): PageBitmap {
  if (candidates === undefined)
    return bitmapOf(
      pageCount,
      Array.from({ length: pageCount }, (_, page) => page),
    );
  if (!(candidates instanceof Uint32Array)) return { pageCount, words: Uint32Array.from(candidates.words) };
  const wanted = bitmapOf(pageCount, []);
  for (let index = 0; index < candidates.length; index += 2) {
    const [first = 0, count = 0] = [candidates[index], candidates[index + 1]];
    for (let page = first; page < Math.min(first + count, pageCount); page++) setPage(wanted, page);
  }
  return wanted;
}

function scanPages(
  flaw: Flaw | undefined,
  memory: Uint8Array,
  pageSizeBytes: number,
  pageCount: number,
  into: PageBitmap,
  wanted: PageBitmap,
  { candidates, threads = 1, firstNonZeroBytes, untouched, onStatistics }: ScanOptions,
): number {
  if (flaw !== 'leaves old bits') into.words.fill(0);
  let zeroPageCount = 0;
  let readPageCount = 0;
  for (let page = 0; page < pageCount; page++) {
    if (flaw === 'forgets the last page' && page > 0 && page === pageCount - 1) continue;
    if (flaw === 'loses a page between threads' && threads > 1 && page === pageCount >> 1) continue;
    if (!hasPage(wanted, page) && flaw !== 'ignores the candidates') {
      if (flaw === 'tells of pages it was not asked for' && firstNonZeroBytes) firstNonZeroBytes[page] = 0;
      continue;
    }
    readPageCount++;
    const bytes = memory.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes);
    if (firstNonZeroBytes !== undefined) {
      const offset = bytes.findIndex((byte) => byte !== 0);
      const told = flaw === 'tells the word, not the byte' ? offset & ~7 : offset;
      firstNonZeroBytes[page] = offset < 0 ? pageSizeBytes : told;
    }
    if (!isZero(flaw, bytes)) continue;
    setPage(into, page);
    zeroPageCount++;
  }
  if (flaw === 'sets bits beyond its pages' && pageCount % 64 !== 0) {
    into.words[into.words.length - 1] = (into.words.at(-1) ?? 0) | (1 << 31);
  }
  if (flaw === 'counts wrong' || (flaw === 'counts repeated pages twice' && candidates instanceof Uint32Array)) {
    zeroPageCount++;
  }
  if (flaw !== 'says nothing of how it went') {
    onStatistics?.({
      backend: 'typescript',
      zeroPageCount,
      readPageCount,
      untouchedPageCount: 0,
      untouchedBy: 'nothing',
      because: untouched === 'read' || flaw === 'does not say why it read everything' ? '' : 'a twin asks nobody',
      threadCount: 1,
      beside: false,
    });
  }
  return zeroPageCount;
}

function isZero(flaw: Flaw | undefined, page: Uint8Array): boolean {
  if (flaw === 'looks at the ends of a page only') return page[0] === 0 && page.at(-1) === 0;
  if (flaw === 'looks at the first MiB of a page') return isZero(undefined, page.subarray(0, 2 ** 20));
  const step = flaw === 'looks at every eighth byte' ? 8 : 1;
  for (let at = 0; at < page.length; at += step) if (page[at] !== 0) return false;
  return true;
}

function check(
  flaw: Flaw | undefined,
  memory: Uint8Array,
  pageSizeBytes: number,
  into: PageBitmap,
  options: AsyncScanOptions,
): void {
  const { candidates, threads = 1, untouched = 'auto', firstNonZeroBytes, onStatistics, signal } = options;
  const validSize = pageSizeBytes >= 512 && pageSizeBytes <= 2 ** 30 && Number.isInteger(Math.log2(pageSizeBytes));
  if (!validSize && flaw !== 'takes any page size') throw new RangeError('page size');
  if (flaw === 'takes any bitmap') return;
  const pageCount = memory.length / pageSizeBytes;
  if (!Number.isInteger(pageCount) && validSize) throw new RangeError('memory');
  const areRuns = candidates instanceof Uint32Array;
  for (const bitmap of [into, ...(candidates === undefined || areRuns ? [] : [candidates])]) {
    if (!(bitmap.words instanceof Uint32Array)) throw new TypeError('bitmap');
    const fits = bitmap.pageCount === pageCount && bitmap.words.length === 2 * Math.ceil(pageCount / 64);
    if (!fits && validSize) throw new RangeError('bitmap');
  }
  if (areRuns && flaw !== 'takes any run') {
    if (candidates.length % 2 !== 0) throw new RangeError('runs');
    candidates.forEach((first, index) => {
      if (index % 2 === 0 && first + (candidates[index + 1] ?? 0) > pageCount) throw new RangeError('runs');
    });
  }
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 256) && flaw !== 'takes any number of threads') {
    throw new RangeError('threads');
  }
  if (untouched !== 'auto' && untouched !== 'read') throw new TypeError('untouched');
  if (onStatistics !== undefined && typeof onStatistics !== 'function') throw new TypeError('onStatistics');
  if (signal !== undefined && typeof signal.addEventListener !== 'function') throw new TypeError('signal');
  if (firstNonZeroBytes !== undefined) {
    if (!ArrayBuffer.isView(firstNonZeroBytes)) throw new TypeError('firstNonZeroBytes');
    if (firstNonZeroBytes.length !== pageCount) throw new RangeError('firstNonZeroBytes');
  }
}
