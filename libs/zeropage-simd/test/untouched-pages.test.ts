import { readFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { PageSet } from '@godwit/page-set';
import { isGodwitError, type ScanOptions, type ScanStatistics, type UntouchedWay } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { availableIsas, createZeroPageScanner } from '../src/index.ts';

const PAGE_BYTES = 4096;
const MEMORY_BYTES = 512 * 2 ** 20;
const PAGE_COUNT = MEMORY_BYTES / PAGE_BYTES;
const isNativeLinux = process.platform === 'linux' && availableIsas().length > 0;
const hasSwap = isNativeLinux && readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;
const [major = 0, minor = 0] = release().split('.').map(Number);
const hasPagemapScan = major > 6 || (major === 6 && minor >= 7);

/** The ways that this machine has; the others must be refused. */
const ways: readonly (readonly [UntouchedWay, boolean])[] = [
  ['pagemap-scan', hasPagemapScan],
  ['mincore', !hasSwap],
  ['pagemap', true],
];

/** Memory that the kernel gave and nobody touched, but for the pages written here. */
function memoryWith(pages: readonly number[]): Uint8Array {
  const memory = new Uint8Array(MEMORY_BYTES);
  for (const page of pages) memory[page * PAGE_BYTES + 1234] = 1;
  return memory;
}

function scan(memory: Uint8Array, options: ScanOptions): { zero: PageSet; statistics: ScanStatistics } {
  const zero = PageSet.empty(memory.length / PAGE_BYTES);
  let heard: ScanStatistics | undefined;
  const onStatistics = (statistics: ScanStatistics): void => {
    heard = statistics;
  };
  createZeroPageScanner({ backend: 'native' }).scan(memory, PAGE_BYTES, zero, { ...options, onStatistics });
  if (heard === undefined) throw new Error('no statistics');
  return { zero, statistics: heard };
}

describe.runIf(isNativeLinux)('pages that were never touched', () => {
  const written = [0, 77, 5000, 70_000, PAGE_COUNT - 1];

  it.each(ways)('are found by %s, not read, and not populated', (untouched, isThere) => {
    const memory = memoryWith(written);
    if (!isThere) {
      const refused = expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED'));
      expect(() => scan(memory, { untouched })).toThrow(refused);
      return;
    }
    const faults = process.resourceUsage().minorPageFault;
    const reads = [1, 2, 3].map(() => {
      const { zero, statistics } = scan(memory, { untouched });
      expect(PageSet.full(PAGE_COUNT).subtract(zero).toRuns()).toEqual(
        Uint32Array.from(written.flatMap((page) => [page, 1])),
      );
      expect(statistics).toMatchObject({ untouchedBy: untouched, because: '', zeroPageCount: PAGE_COUNT - 5 });
      expect(statistics.readPageCount + statistics.untouchedPageCount).toBe(PAGE_COUNT);
      return statistics.readPageCount;
    });
    // A huge page may stand behind each write. A page that was read would be in the page tables the next time.
    expect(reads[0]).toBeLessThan(5 * 513);
    expect(reads[1]).toBe(reads[0]);
    expect(reads[2]).toBe(reads[0]);
    expect(process.resourceUsage().minorPageFault - faults).toBeLessThan(PAGE_COUNT / 8);
  });

  it('are found by itself where much is scanned, on every thread, in any form of scan', async () => {
    const memory = memoryWith(written);
    const threads = availableParallelism() + 1;
    const runs = Uint32Array.of(0, 40_000, 40_000, PAGE_COUNT - 40_000);
    const offsets = new Uint32Array(PAGE_COUNT);
    for (const options of [{}, { threads }, { candidates: PageSet.full(PAGE_COUNT) }, { candidates: runs, threads }]) {
      const { zero, statistics } = scan(memory, { ...options, firstNonZeroBytes: offsets.fill(1) });
      expect(zero.count()).toBe(PAGE_COUNT - 5);
      expect(statistics.untouchedBy).not.toBe('nothing');
      expect(statistics.readPageCount).toBeLessThan(5 * 513);
      expect([...new Set(offsets)].sort((a, b) => a - b)).toEqual([1234, PAGE_BYTES]);
      expect(written.map((page) => offsets[page])).toEqual([1234, 1234, 1234, 1234, 1234]);
    }
    const zero = PageSet.empty(PAGE_COUNT);
    const scanner = createZeroPageScanner({ backend: 'native' });
    let untouchedPageCount = 0;
    await scanner.scanAsync(memory, PAGE_BYTES, zero, {
      onStatistics: (statistics) => {
        untouchedPageCount = statistics.untouchedPageCount;
      },
    });
    expect(zero.count()).toBe(PAGE_COUNT - 5);
    // What comes in slices that are too small to ask for is read.
    expect(untouchedPageCount).toBeGreaterThan(PAGE_COUNT / 2);
  });

  it.each([2 ** 20, 2 ** 21])(
    'are asked for in slices of %i bytes only where that is worth it',
    async (pageSizeBytes) => {
      const memory = new Uint8Array(MEMORY_BYTES);
      const pageCount = MEMORY_BYTES / pageSizeBytes;
      let heard: ScanStatistics | undefined;
      await createZeroPageScanner({ backend: 'native' }).scanAsync(memory, pageSizeBytes, PageSet.empty(pageCount), {
        onStatistics: (statistics) => {
          heard = statistics;
        },
      });
      expect(heard?.untouchedBy === 'nothing').toBe(pageSizeBytes < 2 ** 21);
      expect(heard?.untouchedPageCount === 0).toBe(pageSizeBytes < 2 ** 21);
    },
  );

  it('are found in shared memory beside the JavaScript thread', async () => {
    const memory = new SharedArrayBuffer(MEMORY_BYTES);
    new Uint8Array(memory)[MEMORY_BYTES - 1] = 1;
    const zero = PageSet.empty(PAGE_COUNT);
    let heard: ScanStatistics | undefined;
    const zeroPages = await createZeroPageScanner({ backend: 'native' }).scanAsync(memory, PAGE_BYTES, zero, {
      threads: 2,
      onStatistics: (statistics) => {
        heard = statistics;
      },
    });
    expect(zeroPages).toBe(PAGE_COUNT - 1);
    expect(heard).toMatchObject({ beside: true, threadCount: 2 });
    expect(heard?.untouchedPageCount).toBeGreaterThan(PAGE_COUNT - 513);
  });

  it('are read where little is scanned, and where that is wished for', () => {
    const { statistics } = scan(new Uint8Array(2 ** 20), {});
    expect(statistics).toMatchObject({ untouchedBy: 'nothing', readPageCount: 256 });
    expect(statistics.because).toContain('so little memory');
    const all = scan(new Uint8Array(2 ** 27), { untouched: 'read' });
    expect(all.statistics).toMatchObject({ untouchedBy: 'nothing', because: '', readPageCount: 2 ** 15 });
  });

  it.each([512, 65_536, 2 ** 22, 2 ** 27])('make up pages of %i bytes', (pageSizeBytes) => {
    const memory = memoryWith([]);
    const pageCount = MEMORY_BYTES / pageSizeBytes;
    memory[pageSizeBytes + 77] = 1;
    const offsets = new Float64Array(pageCount);
    const zero = PageSet.empty(pageCount);
    let heard: ScanStatistics | undefined;
    createZeroPageScanner({ backend: 'native' }).scan(memory, pageSizeBytes, zero, {
      firstNonZeroBytes: offsets,
      onStatistics: (statistics) => {
        heard = statistics;
      },
    });
    expect(zero.count()).toBe(pageCount - 1);
    expect([offsets[0], offsets[1], offsets.at(-1)]).toEqual([pageSizeBytes, 77, pageSizeBytes]);
    // A huge page may stand behind the write, and one behind what the allocator notes before the memory.
    const lastTouchedPage = Math.floor((pageSizeBytes + 77 + 2 ** 21) / pageSizeBytes);
    const laterPageCount = pageCount - 1 - lastTouchedPage;
    expect(laterPageCount).toBeGreaterThan(0);
    expect(heard?.untouchedPageCount).toBeGreaterThanOrEqual(laterPageCount);
  });
});
