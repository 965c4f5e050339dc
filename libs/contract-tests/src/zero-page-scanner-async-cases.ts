import type { AsyncScanOptions, ScanStatistics } from '@godwit/ports';
import { isGodwitError } from '@godwit/ports';
import { expect } from 'vitest';
import type { ContractCase } from './contract-case.ts';
import { bitmapOf, emptyBitmap, pagesOf } from './plain-bitmap.ts';
import { wasmMemory } from './wasm-memory.ts';
import type { ZeroPageScannerFixture } from './zero-page-scanner-fixture.ts';

/** Too much for one slice of an event loop that shall not be held up. */
const LONG_PAGES = 1024;
const LONG_BYTES = LONG_PAGES * 4096;

/** What a `ZeroPageScanner` must do that takes its time. */
export const zeroPageScannerAsyncCases: readonly ContractCase<ZeroPageScannerFixture>[] = [
  {
    name: 'finds the same when it takes its time',
    async run({ scanner }) {
      for (const buffer of [new ArrayBuffer(LONG_BYTES), new SharedArrayBuffer(LONG_BYTES)]) {
        const memory = new Uint8Array(buffer);
        for (let at = 0; at < memory.length; at += 123_457) memory[at] = 1;
        for (const pageSizeBytes of [512, 4096, 2 ** 20]) {
          const pageCount = LONG_BYTES / pageSizeBytes;
          const [expected, found] = [emptyBitmap(pageCount), emptyBitmap(pageCount)];
          const some = bitmapOf(pageCount, [0, 1, 5, pageCount >> 1, pageCount - 1]);
          for (const candidates of [undefined, some, Uint32Array.of(2, pageCount - 2, 0, 3)]) {
            const offsets = [new Uint32Array(pageCount).fill(7), new Uint32Array(pageCount).fill(7)] as const;
            const zeroPages = scanner.scan(memory, pageSizeBytes, expected, {
              candidates,
              firstNonZeroBytes: offsets[0],
            });
            const options = { candidates, firstNonZeroBytes: offsets[1], threads: 2 };
            expect(await scanner.scanAsync(memory, pageSizeBytes, found, options)).toBe(zeroPages);
            expect(found.words).toEqual(expected.words);
            expect(offsets[1]).toEqual(offsets[0]);
          }
        }
      }
    },
  },
  {
    name: 'takes its time over no pages and over one',
    async run({ scanner }) {
      expect(await scanner.scanAsync(new Uint8Array(0), 4096, emptyBitmap(0))).toBe(0);
      expect(await scanner.scanAsync(new SharedArrayBuffer(0), 4096, emptyBitmap(0))).toBe(0);
      expect(await scanner.scanAsync(new Uint8Array(512), 512, emptyBitmap(1))).toBe(1);
    },
  },
  {
    name: 'lets the event loop turn, and leaves the result empty until it is done',
    async run({ scanner }) {
      const into = bitmapOf(LONG_PAGES, [0, 5]);
      const memory = new Uint8Array(LONG_BYTES).fill(1, LONG_BYTES - 1);
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      const scan = scanner.scanAsync(memory, 4096, into);
      expect(pagesOf(into)).toEqual([]);
      expect(await scan).toBe(LONG_PAGES - 1);
      expect(turned).toBe(true);
    },
  },
  {
    name: 'copies candidates that are given to a scan that takes its time',
    async run({ scanner }) {
      for (const memory of [new Uint8Array(LONG_BYTES), new SharedArrayBuffer(LONG_BYTES)]) {
        const own = bitmapOf(LONG_PAGES, [1, 900]);
        expect(await scanner.scanAsync(memory, 4096, own, own)).toBe(2);
        expect(pagesOf(own)).toEqual([1, 900]);
        for (const [candidates, words] of [bitmapOf(LONG_PAGES, [3]), Uint32Array.of(3, 1)].map(
          (given) => [given, 'words' in given ? given.words : given] as const,
        )) {
          const into = emptyBitmap(LONG_PAGES);
          const scan = scanner.scanAsync(memory, 4096, into, candidates);
          words.fill(0);
          expect(await scan).toBe(1);
          expect(pagesOf(into)).toEqual([3]);
        }
      }
    },
  },
  {
    name: 'says how a scan went that took its time',
    async run({ scanner }) {
      const heard: ScanStatistics[] = [];
      const onStatistics = (statistics: ScanStatistics): void => void heard.push(statistics);
      for (const memory of [new Uint8Array(LONG_BYTES), new SharedArrayBuffer(LONG_BYTES)]) {
        await scanner.scanAsync(memory, 4096, emptyBitmap(LONG_PAGES), { onStatistics });
        const statistics = heard.pop();
        expect(heard).toEqual([]);
        expect(statistics).toMatchObject({ backend: scanner.backend, zeroPageCount: LONG_PAGES });
        expect(Number(statistics?.readPageCount) + Number(statistics?.untouchedPageCount)).toBe(LONG_PAGES);
        // Memory that JavaScript can take away is not looked at beside its thread.
        if (memory instanceof Uint8Array) expect(statistics?.beside).toBe(false);
      }
    },
  },
  {
    name: 'rejects with the reason of a signal, before and in the middle of a scan',
    async run({ scanner }) {
      const reason = new Error('enough');
      for (const memory of [new Uint8Array(LONG_BYTES), new SharedArrayBuffer(LONG_BYTES)]) {
        const into = bitmapOf(LONG_PAGES, [5]);
        const aborted = scanner.scanAsync(memory, 4096, into, { signal: AbortSignal.abort(reason) });
        await expect(aborted).rejects.toBe(reason);
        expect(pagesOf(into)).toEqual([5]);
        const controller = new AbortController();
        const scan = scanner.scanAsync(memory, 4096, into, { signal: controller.signal });
        controller.abort(reason);
        await expect(scan).rejects.toBe(reason);
        expect(pagesOf(into)).toEqual([]);
      }
      const largePage = new Uint8Array(64 * 2 ** 20);
      const controller = new AbortController();
      const scan = scanner.scanAsync(largePage, largePage.length, emptyBitmap(1), { signal: controller.signal });
      controller.abort(reason);
      await expect(scan).rejects.toBe(reason);
    },
  },
  {
    name: 'notices that memory or result are taken away in the middle of a scan',
    async run({ scanner }) {
      const takeAway: ((buffer: ArrayBuffer) => void)[] = [
        (buffer) => void structuredClone(buffer, { transfer: [buffer] }),
        (buffer) => resize(buffer, LONG_BYTES / 2),
      ];
      for (const take of takeAway) {
        for (const form of [(buffer: ArrayBuffer) => buffer, (buffer: ArrayBuffer) => new DataView(buffer)]) {
          const buffer = resizableBuffer(LONG_BYTES, LONG_BYTES * 2);
          const into = emptyBitmap(LONG_PAGES);
          const scan = scanner.scanAsync(form(buffer), 4096, into);
          take(buffer);
          await expect(scan).rejects.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_MEMORY_CHANGED'));
          expect(pagesOf(into)).toEqual([]);
        }
      }
      for (const memory of [new Uint8Array(LONG_BYTES), new SharedArrayBuffer(LONG_BYTES)]) {
        const into = emptyBitmap(LONG_PAGES);
        const scan = scanner.scanAsync(memory, 4096, into);
        structuredClone(into.words.buffer, { transfer: [into.words.buffer as ArrayBuffer] });
        await expect(scan).rejects.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_MEMORY_CHANGED'));
      }
    },
  },
  {
    name: 'goes on over memory that grows in the middle of a scan',
    async run({ scanner }) {
      const resizable = resizableBuffer(LONG_BYTES, LONG_BYTES * 2);
      const into = emptyBitmap(LONG_PAGES);
      const overBuffer = scanner.scanAsync(resizable, 4096, into);
      resize(resizable, LONG_BYTES * 2);
      expect(await overBuffer).toBe(LONG_PAGES);
      for (const shared of [false, true]) {
        const wasmPages = LONG_BYTES / 65_536;
        const memory = wasmMemory({ initial: wasmPages, maximum: wasmPages * 2, shared });
        new Uint8Array(memory.buffer)[LONG_BYTES - 1] = 1;
        const overWasm = scanner.scanAsync(memory, 4096, into);
        memory.grow(wasmPages);
        expect(await overWasm).toBe(LONG_PAGES - 1);
      }
    },
  },
  {
    name: 'rejects wrong arguments of a scan that takes its time, and leaves the result as it was',
    async run({ scanner }) {
      const memory = new Uint8Array(8192);
      const into = bitmapOf(2, [1]);
      const wrong = (options: object): AsyncScanOptions => options as AsyncScanOptions;
      await expect(scanner.scanAsync(memory, 1000, into)).rejects.toThrow(RangeError);
      await expect(scanner.scanAsync(memory, 4096, emptyBitmap(3))).rejects.toThrow(RangeError);
      await expect(scanner.scanAsync(memory, 4096, into, Uint32Array.of(1, 2))).rejects.toThrow(RangeError);
      await expect(scanner.scanAsync(memory, 4096, into, { threads: 0 })).rejects.toThrow(RangeError);
      await expect(scanner.scanAsync(memory, 4096, into, wrong({ signal: 'stop' }))).rejects.toThrow(TypeError);
      await expect(scanner.scanAsync(memory, 4096, into, wrong({ untouched: 'guess' }))).rejects.toThrow(TypeError);
      expect(pagesOf(into)).toEqual([1]);
    },
  },
];

/** Resizable buffers are younger than the language level that this is written in. */
interface ResizableBuffer extends ArrayBuffer {
  resize(lengthBytes: number): void;
}

function resizableBuffer(lengthBytes: number, lengthBytesMax: number): ArrayBuffer {
  const make: new (lengthBytes: number, options: { maxByteLength: number }) => ArrayBuffer = ArrayBuffer;
  return new make(lengthBytes, { maxByteLength: lengthBytesMax });
}

function resize(buffer: ArrayBuffer, lengthBytes: number): void {
  (buffer as ResizableBuffer).resize(lengthBytes);
}
