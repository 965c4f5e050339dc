import type { GuestMemory } from './guest.ts';
import type { PageBitmap } from './page-bitmap.ts';

const PAGE_BYTES = 4096;

/** Memory that lies in this process as bytes, whoever allocated or mapped it. */
export interface GuestBytes {
  /** A whole number of pages; a view, never copied. */
  readonly bytes: Uint8Array;
  /** A power of two. Default 4,096. */
  readonly pageSizeBytes?: number;
  /** As `GuestMemory.softwareMarks`, where the writers mark what they write: two words for every 64 pages. */
  readonly softwareMarks?: Uint32Array;
  readonly memory?: never;
}

/**
 * The memory of a guest over bytes; every page is present.
 * @throws TypeError, RangeError for bytes, a page size and marks that do not fit one another
 */
export function memoryOverBytes({ bytes, pageSizeBytes = PAGE_BYTES, softwareMarks }: GuestBytes): GuestMemory {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('the bytes of a guest are a Uint8Array');
  if (!Number.isSafeInteger(pageSizeBytes) || pageSizeBytes < 1 || !Number.isInteger(Math.log2(pageSizeBytes))) {
    throw new RangeError(`the size of a page is a power of two, not ${pageSizeBytes}`);
  }
  const pageCount = bytes.length / pageSizeBytes;
  if (!Number.isInteger(pageCount) || pageCount === 0) {
    throw new RangeError(`${bytes.length} bytes are no whole number of pages of ${pageSizeBytes}`);
  }
  const present = async (into: PageBitmap): Promise<number> => addEveryPage(into, pageCount);
  if (softwareMarks === undefined) return { pageSizeBytes, pageCount, bytes, present };
  const wordCount = Math.ceil(pageCount / 64) * 2;
  if (!(softwareMarks instanceof Uint32Array)) throw new TypeError('softwareMarks are a Uint32Array');
  if (softwareMarks.length !== wordCount) {
    throw new RangeError(`${pageCount} pages have ${wordCount} words of marks, not ${softwareMarks.length}`);
  }
  return { pageSizeBytes, pageCount, bytes, softwareMarks, present };
}

function addEveryPage({ pageCount, words }: PageBitmap, expectedCount: number): number {
  if (pageCount !== expectedCount) {
    throw new RangeError(`a set of ${pageCount} pages meets a memory of ${expectedCount}`);
  }
  const fullWords = pageCount >>> 5;
  words.fill(0xffff_ffff, 0, fullWords);
  const rest = pageCount & 31;
  if (rest !== 0) words[fullWords] = 2 ** rest - 1;
  return pageCount;
}
