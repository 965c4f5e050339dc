import type { AsyncScanOptions, PageBitmap, PageRuns, ScanOptions } from '@godwit/ports';
import type { ScanRequest } from './scan-engine.ts';

const PAGE_SIZE_BYTES_MIN = 512;
const PAGE_SIZE_BYTES_MAX = 2 ** 30;
const PAGE_COUNT_MAX = 2 ** 32 - 1;
const THREAD_COUNT_MAX = 256;
const WAYS: readonly ScanRequest['untouched'][] = ['auto', 'read', 'pagemap-scan', 'mincore', 'pagemap'];

/** The last argument of a scan, as options. */
export function scanOptions(given: AsyncScanOptions | PageBitmap | PageRuns | undefined): AsyncScanOptions {
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null) throw new TypeError('neither options nor candidates');
  return isUint32Array(given) || 'words' in given ? { candidates: given } : given;
}

/** Whether a value is a `Uint32Array`, also one of another realm. */
export function isUint32Array(value: unknown): value is Uint32Array {
  return ArrayBuffer.isView(value) && Reflect.get(value, Symbol.toStringTag) === 'Uint32Array';
}

function isFloat64Array(value: unknown): value is Float64Array {
  return ArrayBuffer.isView(value) && Reflect.get(value, Symbol.toStringTag) === 'Float64Array';
}

/** @throws RangeError for a page size that is not a power of two between 512 B and 1 GiB */
export function checkPageSize(pageSizeBytes: number): void {
  const isPowerOfTwo = Number.isInteger(pageSizeBytes) && Number.isInteger(Math.log2(pageSizeBytes));
  if (!isPowerOfTwo || pageSizeBytes < PAGE_SIZE_BYTES_MIN || pageSizeBytes > PAGE_SIZE_BYTES_MAX) {
    throw new RangeError(`a page size is a power of two between 512 bytes and 1 GiB, not ${pageSizeBytes}`);
  }
}

/** @throws RangeError for a memory that is not a whole number of pages */
export function pageCountOf(lengthBytes: number, pageSizeBytes: number): number {
  const pageCount = lengthBytes / pageSizeBytes;
  if (!Number.isInteger(pageCount) || pageCount > PAGE_COUNT_MAX) {
    throw new RangeError(`${lengthBytes} bytes are not a whole number of pages of ${pageSizeBytes} bytes`);
  }
  return pageCount;
}

/**
 * @throws TypeError for what is no bitmap
 * @throws RangeError for a bitmap over another number of pages
 */
export function checkBitmap(role: string, bitmap: PageBitmap, pageCount: number): void {
  if (!isUint32Array(bitmap?.words)) throw new TypeError(`the words of the ${role} are not a Uint32Array`);
  if (bitmap.pageCount !== pageCount || bitmap.words.length !== wordCountOf(pageCount)) {
    throw new RangeError(`the ${role} is a bitmap over ${bitmap.pageCount} pages, the memory has ${pageCount}`);
  }
}

/** How many words a bitmap has. */
export function wordCountOf(pageCount: number): number {
  return 2 * Math.ceil(pageCount / 64);
}

/**
 * Checks what a scan is told, against the number of pages.
 * @throws TypeError, RangeError
 */
export function scanRequest(options: ScanOptions, pageCount: number): ScanRequest {
  const { candidates, threads = 1, untouched = 'auto', firstNonZeroBytes, onStatistics } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > THREAD_COUNT_MAX) {
    throw new RangeError(`a scan runs on 1 to ${THREAD_COUNT_MAX} threads, not on ${String(threads)}`);
  }
  if (!WAYS.includes(untouched)) throw new TypeError(`there is no way ${String(untouched)} to find untouched pages`);
  if (onStatistics !== undefined && typeof onStatistics !== 'function') {
    throw new TypeError('onStatistics is a function');
  }
  checkOffsets(firstNonZeroBytes, pageCount);
  const areRuns = isUint32Array(candidates);
  if (areRuns) checkRuns(candidates, pageCount);
  else if (candidates !== undefined) checkBitmap('candidates', candidates, pageCount);
  return {
    candidates: areRuns ? candidates : candidates?.words,
    areRuns,
    threadCount: threads,
    untouched,
    isPartOfMuch: false,
  };
}

/** @throws RangeError for a run outside of the pages, or half a run */
export function checkRuns(runs: PageRuns, pageCount: number): void {
  if (runs.length % 2 !== 0) throw new RangeError(`page runs come in pairs, not in ${runs.length} numbers`);
  for (let index = 0; index < runs.length; index += 2) {
    const firstPage = runs[index] ?? 0;
    const runPages = runs[index + 1] ?? 0;
    if (firstPage + runPages > pageCount) {
      throw new RangeError(`the run of ${runPages} pages from ${firstPage} on is not inside ${pageCount} pages`);
    }
  }
}

function checkOffsets(offsets: ScanOptions['firstNonZeroBytes'], pageCount: number): void {
  if (offsets === undefined) return;
  if (!isUint32Array(offsets) && !isFloat64Array(offsets)) {
    throw new TypeError('firstNonZeroBytes is neither a Uint32Array nor a Float64Array');
  }
  if (offsets.length !== pageCount) {
    throw new RangeError(`firstNonZeroBytes has ${offsets.length} entries, the memory has ${pageCount} pages`);
  }
}

/** @throws TypeError for what is no signal */
export function checkSignal(signal: AsyncScanOptions['signal']): void {
  if (signal === undefined) return;
  if (typeof signal !== 'object' || signal === null || typeof signal.addEventListener !== 'function') {
    throw new TypeError('signal is no AbortSignal');
  }
}
