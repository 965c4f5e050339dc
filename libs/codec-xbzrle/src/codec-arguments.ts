import { PAGE_SIZE_BYTES_MAX, PAGE_SIZE_BYTES_MIN } from './delta-format.ts';

const PAGE_INDEX_MAX = 0xffffffff;

/** @throws RangeError for a page size that is not a power of two between 512 bytes and 1 MiB */
export function checkPageSize(pageSizeBytes: number): void {
  const isPowerOfTwo = Number.isInteger(pageSizeBytes) && Number.isInteger(Math.log2(pageSizeBytes));
  if (!isPowerOfTwo || pageSizeBytes < PAGE_SIZE_BYTES_MIN || pageSizeBytes > PAGE_SIZE_BYTES_MAX) {
    throw new RangeError(`a page size is a power of two between 512 bytes and 1 MiB, not ${pageSizeBytes}`);
  }
}

/** @throws RangeError for a page index that is not an integer of 32 bits */
export function checkPageIndex(page: number): void {
  if (!Number.isInteger(page) || page < 0 || page > PAGE_INDEX_MAX) {
    throw new RangeError(`a page index is an integer between 0 and ${PAGE_INDEX_MAX}, not ${page}`);
  }
}

/** @throws TypeError for what is no `Uint8Array` */
export function checkBytes(role: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`the ${role} is not a Uint8Array`);
}

/**
 * @throws TypeError for what is no `Uint8Array`
 * @throws RangeError for another length
 */
export function checkPageBytes(role: string, bytes: Uint8Array, pageSizeBytes: number): void {
  checkBytes(role, bytes);
  if (bytes.length !== pageSizeBytes) {
    throw new RangeError(`the ${role} has ${bytes.length} bytes where a page has ${pageSizeBytes}`);
  }
}

/** @throws RangeError where two arrays share bytes */
export function checkApart(
  role: string,
  array: Uint8Array | Int32Array,
  read: Uint8Array | Uint32Array,
  readRole = 'pages',
): void {
  if (array.buffer !== read.buffer) return;
  const isApart =
    array.byteOffset + array.byteLength <= read.byteOffset || read.byteOffset + read.byteLength <= array.byteOffset;
  if (!isApart) throw new RangeError(`the ${role} and the ${readRole} overlap`);
}

/**
 * For arrays of which none of the lengths is wrong. Those that are gone seem to be empty.
 * @throws RangeError for one whose memory was detached, or shrank until it was outside
 */
export function checkThere(role: string, array: Uint8Array | Int32Array | Uint32Array): void {
  if (array.length > 0) return;
  try {
    // Of an empty array that is there it is `undefined`.
    array.at(0);
  } catch (cause) {
    throw new RangeError(`the memory of the ${role} is gone`, { cause });
  }
}
