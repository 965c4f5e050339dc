import type { ScannableMemory, ScanOptions, ScanStatistics } from '@godwit/ports';
import { expect } from 'vitest';
import type { ContractCase } from './contract-case.ts';
import { bitmapOf, emptyBitmap, pagesOf } from './plain-bitmap.ts';
import { wasmMemory } from './wasm-memory.ts';
import type { ZeroPageScannerFixture } from './zero-page-scanner-fixture.ts';

const PAGE_BYTES = 512;
const NOTHING = 0xffff_ffff;

/** What may be asked of a `ZeroPageScanner` beyond a scan of some bytes. */
export const zeroPageScannerOptionCases: readonly ContractCase<ZeroPageScannerFixture>[] = [
  {
    name: 'takes memory in every form',
    run({ scanner }) {
      for (const [form, memory] of formsOf(sampleBytes())) {
        const into = emptyBitmap(8);
        expect(scanner.scan(memory, PAGE_BYTES, into), form).toBe(6);
        expect(pagesOf(into), form).toEqual([0, 2, 3, 4, 5, 7]);
      }
    },
  },
  {
    name: 'takes the memory of a WebAssembly module, also after it grew',
    run({ scanner }) {
      const memory = wasmMemory({ initial: 1, maximum: 2 });
      const into = emptyBitmap(16);
      new Uint8Array(memory.buffer)[4096 * 3] = 1;
      expect(scanner.scan(memory, 4096, into)).toBe(15);
      memory.grow(1);
      expect(() => scanner.scan(memory, 4096, into)).toThrow(RangeError);
      expect(scanner.scan(memory, 4096, emptyBitmap(32))).toBe(31);
    },
  },
  {
    name: 'takes runs as candidates, in any order, overlapping and repeated',
    run({ scanner }) {
      const memory = new Uint8Array(200 * PAGE_BYTES);
      memory[70 * PAGE_BYTES + 300] = 1;
      const into = bitmapOf(200, [199]);
      const runs = Uint32Array.of(60, 20, 190, 0, 3, 1, 65, 10, 3, 1, 69, 2);
      expect(scanner.scan(memory, PAGE_BYTES, into, runs)).toBe(20);
      const expected = [3, ...Array.from({ length: 20 }, (_, index) => 60 + index).filter((page) => page !== 70)];
      expect(pagesOf(into)).toEqual(expected);
      expect(scanner.scan(memory, PAGE_BYTES, into, { candidates: runs })).toBe(20);
      expect(scanner.scan(memory, PAGE_BYTES, into, new Uint32Array(0))).toBe(0);
      expect(scanner.scan(memory, PAGE_BYTES, into, Uint32Array.of(0, 200))).toBe(199);
      expect(scanner.scan(memory, PAGE_BYTES, into, { candidates: bitmapOf(200, [70, 71]) })).toBe(1);
      expect(pagesOf(into)).toEqual([71]);
    },
  },
  {
    name: 'tells where each page has its first byte that is not zero, exactly',
    run({ scanner }) {
      for (const pageSizeBytes of [512, 4096, 65536]) {
        const memory = new Uint8Array(70 * pageSizeBytes);
        const expected = new Array<number>(70).fill(pageSizeBytes);
        for (let page = 0; page < 70; page += 3) {
          const offset = (page * 1471 + 7) % pageSizeBytes;
          memory[page * pageSizeBytes + offset] = 1;
          memory.fill(0xff, page * pageSizeBytes + Math.min(offset + 9, pageSizeBytes - 1), (page + 1) * pageSizeBytes);
          expected[page] = offset;
        }
        for (const offsets of [new Uint32Array(70), new Float64Array(70)]) {
          scanner.scan(memory, pageSizeBytes, emptyBitmap(70), { firstNonZeroBytes: offsets });
          expect([...offsets]).toEqual(expected);
          offsets.fill(NOTHING);
          const options = { firstNonZeroBytes: offsets, candidates: Uint32Array.of(64, 3, 3, 1) };
          scanner.scan(memory, pageSizeBytes, emptyBitmap(70), options);
          const among = [3, 64, 65, 66];
          expect([...offsets]).toEqual(expected.map((offset, page) => (among.includes(page) ? offset : NOTHING)));
        }
      }
    },
  },
  {
    name: 'finds the same on several threads',
    run({ scanner }) {
      const memory = new Uint8Array(20 * 2 ** 20);
      for (let at = 0; at < memory.length; at += 12_347 * 5) memory[at] = 1;
      const [one, several] = [emptyBitmap(5120), emptyBitmap(5120)];
      for (const candidates of [undefined, bitmapOf(5120, [0, 77, 4095, 5119]), Uint32Array.of(4000, 1000, 10, 4100)]) {
        const zeroPages = scanner.scan(memory, 4096, one, { candidates });
        for (const threads of [2, 3, 256]) {
          expect(scanner.scan(memory, 4096, several, { candidates, threads })).toBe(zeroPages);
          expect(several.words).toEqual(one.words);
        }
      }
    },
  },
  {
    name: 'says how a scan went',
    run({ scanner }) {
      const heard: ScanStatistics[] = [];
      const onStatistics = (statistics: ScanStatistics): void => void heard.push(statistics);
      const candidates = bitmapOf(8, [0, 1, 2]);
      for (const untouched of ['auto', 'read'] as const) {
        scanner.scan(sampleBytes(), PAGE_BYTES, emptyBitmap(8), { candidates, untouched, onStatistics });
        const statistics = heard.pop();
        expect(heard).toEqual([]);
        expect(statistics).toMatchObject({ backend: scanner.backend, zeroPageCount: 2, threadCount: 1, beside: false });
        expect(Number(statistics?.readPageCount) + Number(statistics?.untouchedPageCount)).toBe(3);
        if (untouched === 'read') expect(statistics).toMatchObject({ untouchedBy: 'nothing', readPageCount: 3 });
        // Who read everything says why, unless it was told to.
        if (statistics?.untouchedBy === 'nothing') expect(statistics.because === '').toBe(untouched === 'read');
      }
    },
  },
  {
    name: 'refuses wrong options and leaves the result as it was',
    run({ scanner }) {
      const memory = new Uint8Array(8 * PAGE_BYTES);
      const into = bitmapOf(8, [1]);
      const wrong = (options: object): ScanOptions => options as ScanOptions;
      for (const options of [
        { threads: 0 },
        { threads: 1.5 },
        { threads: 257 },
        { threads: Number.NaN },
        { candidates: Uint32Array.of(8, 1) },
        { candidates: Uint32Array.of(0, 9) },
        { candidates: Uint32Array.of(0, 1, 0xffff_ffff, 0xffff_ffff) },
        { candidates: Uint32Array.of(1) },
        { candidates: emptyBitmap(9) },
        { firstNonZeroBytes: new Uint32Array(7) },
      ]) {
        expect(() => scanner.scan(memory, PAGE_BYTES, into, wrong(options)), JSON.stringify(options)).toThrow(
          RangeError,
        );
      }
      for (const options of [
        { untouched: 'guess' },
        { onStatistics: 1 },
        { firstNonZeroBytes: [0, 0, 0, 0, 0, 0, 0, 0] },
        { candidates: { pageCount: 8, words: [0, 0] } },
      ]) {
        expect(() => scanner.scan(memory, PAGE_BYTES, into, wrong(options)), JSON.stringify(options)).toThrow(
          TypeError,
        );
      }
      for (const none of [undefined, null, 4096, 'bytes', {}, { buffer: {} }, []]) {
        expect(() => scanner.scan(none as unknown as ScannableMemory, PAGE_BYTES, into), String(none)).toThrow(
          TypeError,
        );
      }
      expect(() => scanner.scan(memory, PAGE_BYTES, into, 7 as unknown as ScanOptions)).toThrow(TypeError);
      expect(pagesOf(into)).toEqual([1]);
    },
  },
  {
    name: 'refuses memory and results that are detached',
    run({ scanner }) {
      const forms: ((buffer: ArrayBuffer) => ScannableMemory)[] = [
        (buffer) => buffer,
        (buffer) => new Uint8Array(buffer),
        (buffer) => new Float64Array(buffer),
        (buffer) => new DataView(buffer),
      ];
      for (const form of forms) {
        const memory = form(new ArrayBuffer(8 * PAGE_BYTES));
        const buffer = ArrayBuffer.isView(memory) ? memory.buffer : memory;
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
        for (const pageCount of [0, 8]) {
          expect(() => scanner.scan(memory, PAGE_BYTES, emptyBitmap(pageCount))).toThrow(TypeError);
        }
      }
      const into = emptyBitmap(8);
      structuredClone(into.words.buffer, { transfer: [into.words.buffer as ArrayBuffer] });
      expect(() => scanner.scan(sampleBytes(), PAGE_BYTES, into)).toThrow(RangeError);
    },
  },
];

/** Eight pages, of which 1 and 6 are not zero. */
function sampleBytes(): Uint8Array {
  const bytes = new Uint8Array(8 * PAGE_BYTES);
  bytes[PAGE_BYTES + 100] = 1;
  bytes[7 * PAGE_BYTES - 1] = 1;
  return bytes;
}

function formsOf(bytes: Uint8Array): [string, ScannableMemory][] {
  const lengthBytes = bytes.length;
  const into = (buffer: ArrayBufferLike, offset = 0): ArrayBufferLike => {
    new Uint8Array(buffer, offset).set(bytes);
    return buffer;
  };
  const plain = (): ArrayBuffer => into(new ArrayBuffer(lengthBytes)) as ArrayBuffer;
  const shared = (): SharedArrayBuffer => into(new SharedArrayBuffer(lengthBytes)) as SharedArrayBuffer;
  return [
    ['a Uint8Array', bytes],
    ['an ArrayBuffer', plain()],
    ['a SharedArrayBuffer', shared()],
    ['a Uint16Array', new Uint16Array(plain())],
    ['a Float64Array', new Float64Array(shared())],
    ['a BigInt64Array', new BigInt64Array(plain())],
    ['a DataView inside a buffer', new DataView(into(new ArrayBuffer(lengthBytes + 24), 24), 24)],
    ['a guest memory', { bytes }],
  ];
}
