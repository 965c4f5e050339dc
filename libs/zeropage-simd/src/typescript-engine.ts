import { GodwitError } from '@godwit/ports';
import { checkRuns, wordCountOf } from './scan-arguments.ts';
import type { EngineStatistics, ScanEngine, ScanRequest } from './scan-engine.ts';
import { type IsZeroBlock, zeroBlockCheck } from './zero-block.ts';

const PROBE_BYTES = 64;
const PAGES_PER_WORD = 32;
const EVERY_PAGE: ScanRequest = {
  candidates: undefined,
  areRuns: false,
  threadCount: 1,
  untouched: 'auto',
  isPartOfMuch: false,
};

/**
 * The engine for machines without the native build. As the native one it looks at the beginning, the middle and the end of
 * a page first, because a page that is not zero nearly always shows it there.
 *
 * @param checkOf how blocks of a memory are checked
 */
export function typescriptEngine(checkOf: (memory: Uint8Array) => IsZeroBlock = zeroBlockCheck): ScanEngine {
  const scan: ScanEngine['scan'] = (memory, pageSizeBytes, into, request, firstNonZeroBytes) => {
    if (!(memory instanceof Uint8Array)) {
      throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'native memory is scanned natively only');
    }
    const { untouched } = request;
    if (untouched !== 'auto' && untouched !== 'read') {
      throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `${untouched} needs the native build of @godwit/zeropage-simd`);
    }
    if (into.length !== wordCountOf(memory.byteLength / pageSizeBytes)) {
      throw new RangeError('the memory or the result was resized or detached after it was checked');
    }
    return scanWith(memory, pageSizeBytes, into, request, checkOf(memory), firstNonZeroBytes);
  };
  return {
    name: 'zeropage-typescript',
    backend: 'typescript',
    count: (memory, pageSizeBytes, into, candidates, areRuns) =>
      scan(memory, pageSizeBytes, into, { ...EVERY_PAGE, candidates, areRuns }, undefined).zeroPageCount,
    scan,
  };
}

function scanWith(
  memory: Uint8Array,
  pageSizeBytes: number,
  into: Uint32Array,
  request: ScanRequest,
  isZero: IsZeroBlock,
  firstNonZeroBytes: Uint32Array | undefined,
): EngineStatistics {
  const isZeroPage = zeroPageCheck(memory, pageSizeBytes, isZero);
  let zeroPageCount = 0;
  let readPageCount = 0;
  const look = (page: number): void => {
    readPageCount++;
    let zero = isZeroPage(page);
    if (firstNonZeroBytes !== undefined) {
      const offset = zero ? pageSizeBytes : firstNonZeroByte(memory, page * pageSizeBytes, pageSizeBytes);
      firstNonZeroBytes[page] = offset;
      zero = offset === pageSizeBytes;
    }
    const [word, bit] = [page >>> 5, 1 << (page & 31)];
    if (!zero || ((into[word] ?? 0) & bit) !== 0) return;
    into[word] = (into[word] ?? 0) | bit;
    zeroPageCount++;
  };
  const pageCount = memory.byteLength / pageSizeBytes;
  // The candidates may be the result's own words, or be written by others: what is checked is the copy.
  const candidates = request.candidates && new Uint32Array(request.candidates);
  if (request.areRuns && candidates !== undefined) checkRuns(candidates, pageCount);
  into.fill(0);
  if (request.areRuns && candidates !== undefined) lookAtRuns(candidates, look);
  else lookAtPages(candidates, pageCount, look);
  return {
    zeroPageCount,
    readPageCount,
    untouchedPageCount: 0,
    untouchedBy: 'nothing',
    because: request.untouched === 'read' ? '' : 'page tables are asked by the native build only',
    threadCount: 1,
  };
}

function lookAtPages(words: Uint32Array | undefined, pageCount: number, look: (page: number) => void): void {
  if (words === undefined) {
    for (let page = 0; page < pageCount; page++) look(page);
    return;
  }
  for (let index = 0; index * PAGES_PER_WORD < pageCount; index++) {
    let wanted = words[index] ?? 0;
    while (wanted !== 0) {
      const page = index * PAGES_PER_WORD + 31 - Math.clz32(wanted & -wanted);
      wanted &= wanted - 1;
      if (page < pageCount) look(page);
    }
  }
}

function lookAtRuns(runs: Uint32Array, look: (page: number) => void): void {
  for (let index = 0; index < runs.length; index += 2) {
    const [first = 0, count = 0] = [runs[index], runs[index + 1]];
    for (let page = first; page < first + count; page++) look(page);
  }
}

function zeroPageCheck(memory: Uint8Array, pageSizeBytes: number, isZero: IsZeroBlock): (page: number) => boolean {
  const [middle, last] = [pageSizeBytes / 2, pageSizeBytes - 1];
  return (page) => {
    const start = page * pageSizeBytes;
    if (memory[start] !== 0 || memory[start + middle] !== 0 || memory[start + last] !== 0) return false;
    const end = start + pageSizeBytes;
    return isZero(start, start + PROBE_BYTES) && isZero(end - PROBE_BYTES, end) && isZero(start, end);
  };
}

/** The offset of the first byte that is not zero; of a page that somebody cleared meanwhile, its size. */
function firstNonZeroByte(memory: Uint8Array, start: number, pageSizeBytes: number): number {
  let offset = 0;
  while (offset < pageSizeBytes && memory[start + offset] === 0) offset++;
  return offset;
}
