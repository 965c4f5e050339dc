import { PageSet } from '@godwit/page-set';
import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scannerOver } from '../src/engine-scanner.ts';
import { availableIsas, createZeroPageScanner, type Isa } from '../src/index.ts';
import { typescriptEngine } from '../src/typescript-engine.ts';
import { zeroWordCheck } from '../src/zero-block.ts';

const isas = availableIsas();
const scanners = [
  ...isas.map((isa) => createZeroPageScanner({ isa })),
  createZeroPageScanner({ backend: 'typescript' }),
  scannerOver(typescriptEngine(zeroWordCheck)),
];

const memories = fc
  .record({
    pageSizeBytes: fc.constantFrom(512, 1024, 4096, 8192, 65536),
    pageCount: fc.integer({ min: 1, max: 70 }),
    offset: fc.nat(64),
  })
  .chain(({ pageSizeBytes, pageCount, offset }) =>
    fc.record({
      pageSizeBytes: fc.constant(pageSizeBytes),
      memory: fc
        .array(fc.tuple(fc.nat(pageCount * pageSizeBytes - 1), fc.integer({ min: 1, max: 255 })), { maxLength: 20 })
        .map((writes) => {
          const memory = new Uint8Array(new ArrayBuffer(offset + pageCount * pageSizeBytes), offset);
          for (const [at, byte] of writes) memory[at] = byte;
          return memory;
        }),
      candidates: fc.option(
        fc.array(fc.nat(pageCount - 1)).map((pages) => PageSet.fromPages(pageCount, pages)),
        { nil: undefined },
      ),
    }),
  );

const candidateRuns = (pageCount: number): fc.Arbitrary<Uint32Array> =>
  fc
    .array(fc.tuple(fc.nat(pageCount), fc.nat(pageCount)), { maxLength: 6 })
    .map((ends) => Uint32Array.from(ends.flatMap(([one, other]) => [Math.min(one, other), Math.abs(one - other)])));

describe('every scanner', () => {
  it('finds one byte that is not zero anywhere, among any candidates', () => {
    fc.assert(
      fc.property(memories, ({ memory, pageSizeBytes, candidates }) => {
        const pageCount = memory.length / pageSizeBytes;
        const expected = candidates?.clone() ?? PageSet.full(pageCount);
        memory.forEach((byte, at) => {
          if (byte !== 0) expected.delete(Math.floor(at / pageSizeBytes));
        });
        for (const scanner of scanners) {
          const found = PageSet.full(pageCount);
          expect(scanner.scan(memory, pageSizeBytes, found, candidates), scanner.name).toBe(expected.count());
          expect([...found.pages()], scanner.name).toEqual([...expected.pages()]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('agrees with every other, in whatever way it is asked', async () => {
    const asked = memories.chain((given) =>
      fc.record({
        given: fc.constant(given),
        runs: fc.option(candidateRuns(given.memory.length / given.pageSizeBytes), { nil: undefined }),
        threads: fc.integer({ min: 1, max: 3 }),
        shared: fc.boolean(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(asked, async ({ given, runs, threads, shared }) => {
        const { pageSizeBytes } = given;
        const pageCount = given.memory.length / pageSizeBytes;
        const memory = shared ? new Uint8Array(new SharedArrayBuffer(given.memory.length)) : given.memory;
        memory.set(given.memory);
        const candidates = runs ?? given.candidates;
        const wanted = runs === undefined ? given.candidates : PageSet.fromRuns(pageCount, runs);
        const offsets = Array.from({ length: pageCount }, (_, page) => {
          if (wanted !== undefined && !wanted.has(page)) return 7;
          const bytes = memory.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes);
          return (bytes.findIndex((byte) => byte !== 0) + pageSizeBytes + 1) % (pageSizeBytes + 1);
        });
        const zeroPages = offsets.flatMap((offset, page) => (offset === pageSizeBytes ? [page] : []));
        for (const scanner of scanners) {
          const found = PageSet.full(pageCount);
          const firstNonZeroBytes = new Uint32Array(pageCount).fill(7);
          scanner.scan(memory, pageSizeBytes, found, { candidates, threads, firstNonZeroBytes });
          expect([...firstNonZeroBytes], scanner.name).toEqual(offsets);
          expect([...found.pages()], scanner.name).toEqual(zeroPages);
          found.clear();
          firstNonZeroBytes.fill(7);
          const options = { candidates, threads, firstNonZeroBytes };
          expect(await scanner.scanAsync(memory, pageSizeBytes, found, options), scanner.name).toBe(zeroPages.length);
          expect([...firstNonZeroBytes], scanner.name).toEqual(offsets);
          expect([...found.pages()], scanner.name).toEqual(zeroPages);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes a page of 1 GiB', () => {
    const memory = new Uint8Array(2 ** 30);
    const into = PageSet.empty(1);
    for (const scanner of scanners.filter(({ backend }) => backend === 'native').slice(0, 1)) {
      expect(scanner.scan(memory, 2 ** 30, into)).toBe(1);
      memory[2 ** 30 - 5000] = 1;
      expect(scanner.scan(memory, 2 ** 30, into)).toBe(0);
      const firstNonZeroBytes = new Uint32Array(1);
      scanner.scan(memory, 2 ** 30, into, { firstNonZeroBytes });
      expect([...firstNonZeroBytes]).toEqual([2 ** 30 - 5000]);
    }
  });
});

describe('createZeroPageScanner', () => {
  it('takes the native build where it is there, and says which', () => {
    const scanner = createZeroPageScanner();
    expect(scanner.backend).toBe(isas.length > 0 ? 'native' : 'typescript');
    expect(scanner.name).toBe(isas.length > 0 ? `zeropage-${isas[0]}` : 'zeropage-typescript');
  });

  it('refuses what is not there', () => {
    const unknown = 'altivec' as Isa;
    expect(() => createZeroPageScanner({ isa: unknown })).toThrow(
      expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')),
    );
    expect(() => createZeroPageScanner({ backend: 'typescript', isa: 'scalar' })).toThrow(TypeError);
    expect(() => createZeroPageScanner({ backend: 'wasm' as 'native' })).toThrow(TypeError);
  });

  it.each(scanners)('refuses what is no memory and no bitmap ($name)', (scanner) => {
    const memory = new Uint8Array(4096);
    const into = PageSet.empty(1);
    expect(() => scanner.scan([] as unknown as Uint8Array, 4096, into)).toThrow(TypeError);
    expect(() => scanner.scan(memory, 4096, { pageCount: 1, words: [0, 0] as unknown as Uint32Array })).toThrow(
      TypeError,
    );
    expect(() => scanner.scan(memory, '4096' as unknown as number, into)).toThrow(RangeError);
  });

  it.each(scanners)('looks at nothing that a getter takes away ($name)', async (scanner) => {
    const takesAway = (memory: Uint8Array, taken: Uint8Array | Uint32Array): object => ({
      get threads(): number {
        if (taken.byteLength > 0) structuredClone(taken.buffer, { transfer: [taken.buffer as ArrayBuffer] });
        expect(memory.byteLength === 0 || taken !== memory).toBe(true);
        return 1;
      },
    });
    for (const scan of ['scan', 'scanAsync'] as const) {
      for (const takesMemory of [true, false]) {
        const memory = new Uint8Array(64 * 4096);
        const into = PageSet.empty(64);
        const options = takesAway(memory, takesMemory ? memory : into.words);
        await expect((async () => scanner[scan](memory, 4096, into, options))()).rejects.toThrow();
      }
    }
  });
});
