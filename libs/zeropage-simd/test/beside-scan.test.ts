import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PageSet } from '@godwit/page-set';
import { describe, expect, it } from 'vitest';
import { scannerOver } from '../src/engine-scanner.ts';
import { availableIsas, createZeroPageScanner } from '../src/index.ts';
import { loadNative } from '../src/native.ts';
import { nativeEngine } from '../src/native-engine.ts';
import type { EngineMemory, ScanEngine } from '../src/scan-engine.ts';

const PAGE_COUNT = 256;
const MEMORY_BYTES = PAGE_COUNT * 4096;
const isNative = availableIsas().length > 0;

/** Holds every thread of libuv's pool: each opens a pipe that nobody writes, until it is let go. */
async function withBusyPool(work: () => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-pool-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const threadCount = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const opened = Array.from({ length: threadCount }, () => open(pipe, 'r'));
  try {
    await work();
  } finally {
    // Opened for both, a pipe waits for nobody.
    const writer = openSync(pipe, constants.O_RDWR);
    for (const reader of await Promise.all(opened)) await reader.close();
    closeSync(writer);
    rmSync(folder, { recursive: true });
  }
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  // What a weak reference was asked for lives on until the event loop turns.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

describe.runIf(isNative)('a scan beside the JavaScript thread', () => {
  it.runIf(process.platform === 'linux')('that waits for a thread is aborted at once', async () => {
    const scanner = createZeroPageScanner({ backend: 'native' });
    const memory = new SharedArrayBuffer(MEMORY_BYTES);
    await withBusyPool(async () => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const into = PageSet.empty(PAGE_COUNT);
      const scan = scanner.scanAsync(memory, 4096, into, { signal: controller.signal });
      controller.abort(reason);
      await expect(scan).rejects.toBe(reason);
      expect(into.count()).toBe(0);
    });
    expect(await scanner.scanAsync(memory, 4096, PageSet.empty(PAGE_COUNT))).toBe(PAGE_COUNT);
  });

  it('refuses memory that only says that it is shared', async () => {
    class Liar extends Uint8Array<ArrayBuffer> {
      override get buffer(): ArrayBuffer {
        return new SharedArrayBuffer(8) as unknown as ArrayBuffer;
      }
    }
    const tagged = Object.defineProperty(new ArrayBuffer(MEMORY_BYTES), Symbol.toStringTag, {
      value: 'SharedArrayBuffer',
    });
    const scanner = createZeroPageScanner({ backend: 'native' });
    for (const memory of [new Liar(new ArrayBuffer(MEMORY_BYTES)), tagged, new Uint8Array(tagged)]) {
      const scan = scanner.scanAsync(memory, 4096, PageSet.empty(PAGE_COUNT));
      await expect(scan).rejects.toThrow('memory that JavaScript can take away');
      await expect(scan).rejects.toThrow(RangeError);
    }
  });

  it('keeps the bytes that it looks at, whatever becomes of the memory that they were the buffer of', async () => {
    const { addon } = loadNative();
    if (addon === undefined) throw new Error('the native build went away');
    const native = nativeEngine(addon, undefined);
    let given: WeakRef<EngineMemory & object> | undefined;
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    // The scan begins when the test says so, and holds nothing until then.
    const engine: ScanEngine = {
      ...native,
      scanBeside(memory, ...rest) {
        const reference = new WeakRef(memory);
        given = reference;
        return gate.then(() => {
          const bytes = reference.deref();
          if (bytes === undefined || native.scanBeside === undefined) throw new Error('the bytes are gone');
          return native.scanBeside(bytes, ...rest);
        });
      },
    };
    const memory = { buffer: new SharedArrayBuffer(MEMORY_BYTES) };
    const scan = scannerOver(engine).scanAsync(memory, 4096, PageSet.empty(PAGE_COUNT));
    memory.buffer = new SharedArrayBuffer(0);
    await collectGarbage();
    expect(given?.deref()).toBeDefined();
    goOn();
    expect(await scan).toBe(PAGE_COUNT);
  });
});
