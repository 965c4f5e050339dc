import { PageSet } from '@godwit/page-set';
import { describe, expect, it } from 'vitest';
import { scannerOver } from '../src/engine-scanner.ts';
import { availableIsas, createZeroPageScanner } from '../src/index.ts';
import { typescriptEngine } from '../src/typescript-engine.ts';

const PAGE_BYTES = 4096;
const MEMORY_BYTES = 64 * 2 ** 20;
const scanners = [
  ...(availableIsas().length > 0 ? [createZeroPageScanner({ backend: 'native' })] : []),
  createZeroPageScanner({ backend: 'typescript' }),
];

describe('slices', () => {
  it('do not shrink below what repays asking the page tables, however long each takes to begin', async () => {
    const engine = typescriptEngine();
    const pageCount = MEMORY_BYTES / PAGE_BYTES;
    const whole = new Uint8Array(MEMORY_BYTES);
    const sliceBytes: number[] = [];
    const slow = scannerOver({
      ...engine,
      scan(memory, ...rest) {
        if (memory instanceof Uint8Array) sliceBytes.push(memory.byteLength);
        // Takes many times as long as the slice, as reading a list of very many mappings does.
        engine.count(whole, PAGE_BYTES, PageSet.empty(pageCount).words, undefined, false);
        return engine.scan(memory, ...rest);
      },
    });
    expect(await slow.scanAsync(whole, PAGE_BYTES, PageSet.empty(pageCount))).toBe(pageCount);
    expect(sliceBytes.reduce((sum, bytes) => sum + bytes)).toBe(MEMORY_BYTES);
    expect(Math.min(...sliceBytes.slice(0, -1))).toBeGreaterThanOrEqual(2 * 2 ** 20);
  });

  it.each(scanners)('let the event loop turn between large pages that are not zero ($name)', async (scanner) => {
    const memory = new Uint8Array(MEMORY_BYTES);
    for (let at = 2 ** 24 - 1; at < MEMORY_BYTES; at += 2 ** 24) memory[at] = 1;
    const controller = new AbortController();
    const scan = scanner.scanAsync(memory, 2 ** 24, PageSet.empty(4), { signal: controller.signal });
    const reason = new Error('enough');
    setImmediate(() => controller.abort(reason));
    await expect(scan).rejects.toBe(reason);
  });

  it.each(scanners)('come after the candidates, between which the event loop turns too ($name)', async (scanner) => {
    const candidates = new Uint32Array(2 ** 21).fill(1);
    const controller = new AbortController();
    const options = { signal: controller.signal, candidates };
    const scan = scanner.scanAsync(new Uint8Array(2 * PAGE_BYTES), PAGE_BYTES, PageSet.empty(2), options);
    const reason = new Error('enough');
    setImmediate(() => controller.abort(reason));
    await expect(scan).rejects.toBe(reason);
  });
});

describe('runs of candidates', () => {
  it.each(scanners)('are checked as they are used, though they change after a first check ($name)', async (scanner) => {
    for (const memory of [new Uint8Array(2 * PAGE_BYTES), new SharedArrayBuffer(2 * PAGE_BYTES)]) {
      for (const scan of ['scan', 'scanAsync'] as const) {
        const candidates = Uint32Array.of(0, 2);
        let readCount = 0;
        const options = {
          candidates,
          get firstNonZeroBytes(): undefined {
            if (++readCount === 2) candidates.fill(0xffff_ffff);
            return undefined;
          },
        };
        const scanned = (async () => scanner[scan](memory, PAGE_BYTES, PageSet.empty(2), options))();
        await expect(scanned).rejects.toThrow(RangeError);
        expect(readCount).toBe(2);
      }
    }
  });
});
