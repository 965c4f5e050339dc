import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PAGE_BYTES = 4096;
const zeroPage = Buffer.alloc(PAGE_BYTES);

/** Pages as real memory holds them. */
export interface RealPages {
  /** One after the other; none is all zero. */
  readonly bytes: Buffer;
  /** Where they are from, for the report. */
  readonly source: string;
}

/**
 * Up to `pageCountMax` pages that are not all zero out of this process's own memory (heap, stacks, code and data, as they
 * lie in memory), or, where the system does not show it, of the file of the Node.js that runs.
 */
export function realPages(pageCountMax: number): RealPages {
  try {
    return { bytes: pagesOfProcess(pageCountMax), source: "this process's own memory" };
  } catch {
    return { bytes: nonZeroPages(readFileSync(process.execPath), pageCountMax), source: 'the file of Node.js' };
  }
}

/** A mapping and not the many gigabytes that were only reserved. */
const MAPPING_BYTES_MAX = 2 ** 27;

function pagesOfProcess(pageCountMax: number): Buffer {
  const pages: Buffer[] = [];
  let pageCount = 0;
  const memory = openSync('/proc/self/mem', 'r');
  try {
    for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
      const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
      if (start === undefined || end === undefined || path?.startsWith('[v')) continue;
      const length = Number(BigInt(`0x${end}`) - BigInt(`0x${start}`));
      if (length > MAPPING_BYTES_MAX) continue;
      const found = nonZeroPages(readMapping(memory, BigInt(`0x${start}`), length), pageCountMax - pageCount);
      pages.push(found);
      pageCount += found.length / PAGE_BYTES;
      if (pageCount === pageCountMax) break;
    }
  } finally {
    closeSync(memory);
  }
  if (pageCount === 0) throw new Error('no memory of this process can be read');
  return Buffer.concat(pages);
}

/** A mapping as far as it can be read: what belongs to a device, or lies beyond a file's end, cannot. */
function readMapping(memory: number, start: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  try {
    return bytes.subarray(0, readSync(memory, bytes, 0, length, start));
  } catch {
    return bytes.subarray(0, 0);
  }
}

function nonZeroPages(bytes: Buffer, pageCountMax: number): Buffer {
  const pages: Buffer[] = [];
  for (let start = 0; start + PAGE_BYTES <= bytes.length && pages.length < pageCountMax; start += PAGE_BYTES) {
    const page = bytes.subarray(start, start + PAGE_BYTES);
    if (!page.equals(zeroPage)) pages.push(page);
  }
  return Buffer.concat(pages);
}
