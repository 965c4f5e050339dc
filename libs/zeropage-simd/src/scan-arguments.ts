import type { PageBitmap } from '@godwit/ports';

const PAGE_SIZE_BYTES_MIN = 512;
const PAGE_SIZE_BYTES_MAX = 2 ** 30;

/**
 * @throws TypeError for a memory that is no `Uint8Array`, or bitmaps whose words are no `Uint32Array`
 * @throws RangeError for a page size that is not a power of two between 512 B and 1 GiB, a memory that is not a whole
 * number of pages, or a bitmap over another number of pages
 */
export function checkScanArguments(
  memory: Uint8Array,
  pageSizeBytes: number,
  into: PageBitmap,
  candidates: PageBitmap | undefined,
): void {
  if (!(memory instanceof Uint8Array)) throw new TypeError('the memory is not a Uint8Array');
  const isPowerOfTwo = Number.isInteger(Math.log2(pageSizeBytes)) && Number.isInteger(pageSizeBytes);
  if (!isPowerOfTwo || pageSizeBytes < PAGE_SIZE_BYTES_MIN || pageSizeBytes > PAGE_SIZE_BYTES_MAX) {
    throw new RangeError(`a page size is a power of two between 512 bytes and 1 GiB, not ${pageSizeBytes}`);
  }
  if (memory.byteLength % pageSizeBytes !== 0) {
    throw new RangeError(`${memory.byteLength} bytes are not a whole number of pages of ${pageSizeBytes} bytes`);
  }
  const pageCount = memory.byteLength / pageSizeBytes;
  checkBitmap('result', into, pageCount);
  if (candidates !== undefined) checkBitmap('candidates', candidates, pageCount);
}

function checkBitmap(role: string, bitmap: PageBitmap, pageCount: number): void {
  if (!(bitmap?.words instanceof Uint32Array)) throw new TypeError(`the words of the ${role} are not a Uint32Array`);
  if (bitmap.pageCount !== pageCount || bitmap.words.length !== 2 * Math.ceil(pageCount / 64)) {
    throw new RangeError(`the ${role} is a bitmap over ${bitmap.pageCount} pages, the memory has ${pageCount}`);
  }
}
