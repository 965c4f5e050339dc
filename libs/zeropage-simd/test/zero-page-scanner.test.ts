import { PageSet } from '@godwit/page-set';
import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availableIsas, createZeroPageScanner, type Isa } from '../src/index.ts';
import { scannerOver } from '../src/engine-scanner.ts';
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
});
