import type { PageSet } from '@godwit/page-set';

const PAGE_BYTES = 4096;
const zeroPage = Buffer.alloc(PAGE_BYTES);

/** The honest way without a package: `Buffer.compare` (a `memcmp`) of each page with a page of zeros. */
export function compareScan(memory: Uint8Array, into: PageSet, passes: number): void {
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.length);
  for (let pass = 0; pass < passes; pass += 1) {
    into.clear();
    for (let page = 0; page < into.pageCount; page += 1) {
      const start = page * PAGE_BYTES;
      if (bytes.compare(zeroPage, 0, PAGE_BYTES, start, start + PAGE_BYTES) === 0) into.add(page);
    }
  }
}

/** The plain way: a loop over words of 64 bits that leaves a page at the first that is not zero. */
export function wordScan(memory: Uint8Array, into: PageSet, passes: number): void {
  const words = new BigUint64Array(memory.buffer, memory.byteOffset, memory.length / 8);
  const wordsPerPage = PAGE_BYTES / 8;
  for (let pass = 0; pass < passes; pass += 1) {
    into.clear();
    for (let page = 0; page < into.pageCount; page += 1) {
      const end = (page + 1) * wordsPerPage;
      let at = page * wordsPerPage;
      while (at < end && words[at] === 0n) at += 1;
      if (at === end) into.add(page);
    }
  }
}
