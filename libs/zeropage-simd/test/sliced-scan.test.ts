import { PageSet } from '@godwit/page-set';
import { describe, expect, it } from 'vitest';
import { scannerOver } from '../src/engine-scanner.ts';
import { typescriptEngine } from '../src/typescript-engine.ts';

const PAGE_BYTES = 4096;
const MEMORY_BYTES = 64 * 2 ** 20;

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
});
