import { expect } from 'vitest';
import { type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { bitmapOf, emptyBitmap, pagesOf } from './plain-bitmap.ts';
import { SeededBytes } from './seeded-bytes.ts';
import { zeroPageScannerAsyncCases } from './zero-page-scanner-async-cases.ts';
import type { ZeroPageScannerFixture } from './zero-page-scanner-fixture.ts';
import { zeroPageScannerOptionCases } from './zero-page-scanner-option-cases.ts';

const PAGE_SIZES_BYTES = [512, 1024, 4096, 16384, 65536] as const;

const basicCases: readonly ContractCase<ZeroPageScannerFixture>[] = [
  {
    name: 'names itself and its backend',
    run({ scanner }) {
      expect(scanner.name).not.toBe('');
      expect(['native', 'typescript']).toContain(scanner.backend);
      expect(scanner.capsule !== undefined).toBe(scanner.backend === 'native');
    },
  },
  {
    name: 'finds every page of an untouched memory, of any length',
    run({ scanner }) {
      for (const pageCount of [0, 1, 31, 32, 33, 63, 64, 65, 130]) {
        const into = emptyBitmap(pageCount);
        expect(scanner.scan(new Uint8Array(pageCount * 512), 512, into)).toBe(pageCount);
        expect(pagesOf(into)).toEqual(Array.from({ length: pageCount }, (_, page) => page));
      }
    },
  },
  {
    name: 'sees a single bit wherever it is',
    run({ scanner }) {
      for (const pageSizeBytes of PAGE_SIZES_BYTES) {
        const memory = new Uint8Array(3 * pageSizeBytes);
        const into = emptyBitmap(3);
        // Every byte of a small page; of a larger one those around every multiple of 64 bytes.
        const step = pageSizeBytes > 1024 ? 64 : 1;
        for (let at = 0; at < pageSizeBytes; at += step) {
          for (const offset of step === 1 ? [at] : [at, at + 31, at + 63]) {
            memory[pageSizeBytes + offset] = 1 << (offset % 8);
            const zeroPages = scanner.scan(memory, pageSizeBytes, into);
            if (zeroPages !== 2 || into.words[0] !== 0b101) expect.fail(`byte ${offset} of ${pageSizeBytes} not seen`);
            memory[pageSizeBytes + offset] = 0;
          }
        }
        expect(scanner.scan(memory, pageSizeBytes, into)).toBe(3);
      }
    },
  },
  {
    name: 'agrees with a look at every byte',
    run({ scanner }) {
      const random = new SeededBytes(0x5eed);
      for (let round = 0; round < 40; round++) {
        const pageSizeBytes = PAGE_SIZES_BYTES[random.below(3)] ?? 512;
        const pageCount = 1 + random.below(100);
        const memory = new Uint8Array(pageCount * pageSizeBytes);
        for (let writes = random.below(pageCount); writes > 0; writes--) {
          memory[random.below(memory.length)] = random.below(256);
        }
        const into = emptyBitmap(pageCount);
        into.words.fill(0xffffffff);
        const expected = zeroPagesOf(memory, pageSizeBytes);
        expect(scanner.scan(memory, pageSizeBytes, into)).toBe(expected.length);
        expect(pagesOf(into)).toEqual(expected);
      }
    },
  },
  {
    name: 'looks at the candidates only, and clears all other bits',
    run({ scanner }) {
      const memory = new Uint8Array(100 * 512);
      memory[40 * 512 + 99] = 1;
      const candidates = bitmapOf(100, [0, 31, 32, 40, 64, 99]);
      const into = bitmapOf(100, [1, 33, 40, 65]);
      expect(scanner.scan(memory, 512, into, candidates)).toBe(5);
      expect(pagesOf(into)).toEqual([0, 31, 32, 64, 99]);
      expect(pagesOf(candidates)).toEqual([0, 31, 32, 40, 64, 99]);
      expect(scanner.scan(memory, 512, candidates, candidates)).toBe(5);
      expect(pagesOf(candidates)).toEqual([0, 31, 32, 64, 99]);
      expect(scanner.scan(memory, 512, into, emptyBitmap(100))).toBe(0);
      expect(pagesOf(into)).toEqual([]);
    },
  },
  {
    name: 'takes memory at any address, and looks at nothing around it',
    run({ scanner }) {
      for (const buffer of [new ArrayBuffer(3 * 4096), new SharedArrayBuffer(3 * 4096)]) {
        for (const offset of [0, 1, 3, 7, 8, 31, 63, 4095]) {
          const around = new Uint8Array(buffer).fill(0xff);
          const memory = new Uint8Array(buffer, offset, 2 * 4096).fill(0);
          const into = emptyBitmap(2);
          expect(scanner.scan(memory, 4096, into)).toBe(2);
          memory[8191] = 1;
          expect(scanner.scan(memory, 4096, into)).toBe(1);
          expect(pagesOf(into)).toEqual([0]);
          around.fill(0);
        }
      }
    },
  },
  {
    name: 'takes large pages',
    run({ scanner }) {
      const pageSizeBytes = 2 ** 21;
      const memory = new Uint8Array(3 * pageSizeBytes);
      memory[pageSizeBytes + 1_234_567] = 1;
      const into = emptyBitmap(3);
      expect(scanner.scan(memory, pageSizeBytes, into)).toBe(2);
      expect(pagesOf(into)).toEqual([0, 2]);
    },
  },
  {
    name: 'refuses wrong arguments and leaves the result as it was',
    run({ scanner }) {
      const memory = new Uint8Array(8192);
      const into = bitmapOf(2, [1]);
      for (const pageSizeBytes of [0, -4096, 1, 256, 1000, 4095, 4096.5, Number.NaN, 2 ** 31, 2 ** 32 + 4096]) {
        expect(() => scanner.scan(memory, pageSizeBytes, into), `page size ${pageSizeBytes}`).toThrow(RangeError);
      }
      expect(() => scanner.scan(memory.subarray(1), 4096, into)).toThrow(RangeError);
      for (const other of [emptyBitmap(1), emptyBitmap(3), { pageCount: 2, words: new Uint32Array(4) }]) {
        expect(() => scanner.scan(memory, 4096, other)).toThrow(RangeError);
        expect(() => scanner.scan(memory, 4096, into, other)).toThrow(RangeError);
      }
      expect(pagesOf(into)).toEqual([1]);
    },
  },
];

/** What every `ZeroPageScanner` must do. */
export const zeroPageScannerCases: readonly ContractCase<ZeroPageScannerFixture>[] = [
  ...basicCases,
  ...zeroPageScannerOptionCases,
  ...zeroPageScannerAsyncCases,
];

function zeroPagesOf(memory: Uint8Array, pageSizeBytes: number): number[] {
  return Array.from({ length: memory.length / pageSizeBytes }, (_, page) => page).filter((page) =>
    memory.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes).every((byte) => byte === 0),
  );
}

/** Registers `zeroPageScannerCases` over a fixture made anew for each. */
export function zeroPageScannerSuite(name: string, make: FixtureMaker<ZeroPageScannerFixture>): void {
  registerCases(`zero-page scanner ${name}`, zeroPageScannerCases, make);
}
