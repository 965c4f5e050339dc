import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availableIsas, PageSet, type PageSetOptions } from '../src/index.ts';
import { loadNative } from '../src/native.ts';

const isas = availableIsas();
const PAGES_OF_8_GIB = 2_097_152;
const PAGES_OF_1_TIB = 268_435_456;

/** Pages with long runs, holes and scattered ones; the same for the same seed (Marsaglia's xorshift). */
function scattered(pageCount: number, seed: number, options: PageSetOptions): PageSet {
  const set = PageSet.empty(pageCount, options);
  let state = (seed * 0x9e3779b9) | 1;
  const below = (limit: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  for (let count = 0; count < 200; count++) {
    const first = below(pageCount);
    set.addRun(first, Math.min(1 + below(count % 3 === 0 ? 3000 : 3), pageCount - first));
  }
  return set;
}

describe('the native build', () => {
  it.skipIf(isas.length === 0)('does what TypeScript does, over 1 to 200,000 pages', () => {
    const cases = fc.record({
      pageCount: fc.integer({ min: 1, max: 200_000 }),
      seed: fc.nat(1e6),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    for (const isa of isas) {
      fc.assert(
        fc.property(cases, ({ pageCount, seed, from }) => {
          const [native, plain] = [{ isa }, { backend: 'typescript' as const }].map((way) => {
            const [left, right] = [scattered(pageCount, seed, way), scattered(pageCount, seed + 1, way)];
            const before = left.clone();
            const joined = [left.clone().or(right), left.clone().and(right), left.clone().subtract(right)];
            const fetched = left.fetchAndClear(right);
            return {
              sets: [before, ...joined, left, right].map((set) => [...set.words]),
              counts: joined.map((set) => set.count()),
              runs: joined.map((set) => [...set.toRuns()]),
              next: joined.map((set) => set.nextRun(Math.floor(from * pageCount))),
              equal: [before.equals(left), left.equals(left.clone())],
              empty: [right.isEmpty(), left.isEmpty()],
              bytes: [...left.toBytes()],
              fetched,
            };
          });
          expect(native).toEqual(plain);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('says who is at work', () => {
    expect(PageSet.empty(64).backend).toBe('typescript');
    expect(PageSet.empty(PAGES_OF_8_GIB, { backend: 'typescript' }).isa).toBeUndefined();
    const native = loadNative().addon !== undefined;
    const large = PageSet.empty(PAGES_OF_8_GIB);
    expect([large.backend, large.isa]).toEqual(native ? ['native', isas[0]] : ['typescript', undefined]);
    expect(large.clone().backend).toBe(large.backend);
    for (const isa of isas) expect(PageSet.empty(64, { isa }).isa).toBe(isa);
  });

  it('is refused where it is asked for in vain', () => {
    const unsupported = (act: () => unknown): boolean => {
      try {
        act();
      } catch (error) {
        return isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED');
      }
      return false;
    };
    expect(unsupported(() => PageSet.empty(64, { isa: 'mmx' as 'avx2' }))).toBe(true);
    expect(() => PageSet.empty(64, { backend: 'typescript', isa: 'avx2' })).toThrow(TypeError);
    expect(() => PageSet.empty(64, { backend: 'wasm' as 'native' })).toThrow(TypeError);
    if (isas.length === 0) expect(unsupported(() => PageSet.empty(64, { backend: 'native' }))).toBe(true);
  });

  it.skipIf(isas.length === 0)('refuses by itself what PageSet never hands it', () => {
    const addon = loadNative().addon;
    const words = new Uint32Array(8);
    expect(() => addon?.count(99, words)).toThrow(/instruction set/);
    expect(() => addon?.count(0, new Uint32Array(3))).toThrow(/even/);
    expect(() => addon?.count(0, new Uint8Array(8) as unknown as Uint32Array)).toThrow(/Uint32Array/);
    expect(() => addon?.or(0, words, new Uint32Array(4))).toThrow(/sizes/);
    expect(() => addon?.fetchAndClear(0, words, words, false)).toThrow(/own pages/);
    expect(() => addon?.fillRuns(0, words, 256, words.subarray(2, 4))).toThrow(/themselves/);
    expect(addon?.nextBit(0, words, 0xffffffff, true)).toBe(0xffffffff);
    expect(addon?.count(0, new Uint32Array(0))).toBe(0);
  });
});

describe.each<PageSetOptions>([{ backend: 'typescript' }, {}])('sets of 1 TiB in pages of 4 KiB, by %o', (way) => {
  it('are joined, counted, fetched and searched', () => {
    const last = PAGES_OF_1_TIB - 1;
    const set = PageSet.fromPages(PAGES_OF_1_TIB, [0, 134_217_728, 200_000_000, last], way);
    const other = PageSet.empty(PAGES_OF_1_TIB, way).addRun(199_999_999, 3);
    expect(set.count()).toBe(4);
    expect(set.nextRun(1)).toEqual({ firstPage: 134_217_728, pageCount: 1 });
    expect(set.nextRun(200_000_001)).toEqual({ firstPage: last, pageCount: 1 });
    expect([...set.or(other).toRuns()]).toEqual([0, 1, 134_217_728, 1, 199_999_999, 3, last, 1]);
    expect([...set.pages()].slice(-2)).toEqual([200_000_001, last]);
    expect(set.subtract(other).count()).toBe(3);
    expect(set.clone().and(other).isEmpty()).toBe(true);
    expect(other.fetchAndClear(set)).toBe(3);
    expect([other.count(), set.isEmpty(), set.equals(other)]).toEqual([6, true, false]);
    expect(PageSet.fromBytes(other.toBytes(), way).equals(other)).toBe(true);
    expect(other.toBytes().length).toBeLessThan(60);
  });
});

describe('a set whose memory is taken away', () => {
  const acts: Record<string, (set: PageSet) => unknown> = {
    add: (set) => set.add(1),
    has: (set) => set.has(1),
    addRun: (set) => set.addRun(0, 64),
    clear: (set) => set.clear(),
    count: (set) => set.count(),
    isEmpty: (set) => set.isEmpty(),
    or: (set) => set.or(set),
    equals: (set) => set.equals(set),
    fetchAndClear: (set) => set.fetchAndClear(PageSet.empty(set.pageCount)),
    nextRun: (set) => set.nextRun(),
    pages: (set) => [...set.pages()],
    toRuns: (set) => set.toRuns(),
    toBytes: (set) => set.toBytes(),
    clone: (set) => set.clone(),
  };

  it.each(Object.keys(acts))('refuses %s, whether it was detached or shrunk', (name) => {
    for (const way of [{ backend: 'typescript' as const }, ...isas.map((isa) => ({ isa }))]) {
      const detached = PageSet.of({ pageCount: 8192, words: new Uint32Array(256) }, way);
      structuredClone(detached.words.buffer, { transfer: [detached.words.buffer as ArrayBuffer] });
      expect(() => acts[name]?.(detached)).toThrow(TypeError);
      // Resizable buffers are younger than the declarations of ES2022.
      const Resizable = ArrayBuffer as unknown as new (
        length: number,
        options: object,
      ) => ArrayBuffer & { resize(length: number): void };
      const buffer = new Resizable(1024, { maxByteLength: 4096 });
      const resized = PageSet.of({ pageCount: 8192, words: new Uint32Array(buffer) }, way);
      buffer.resize(0);
      expect(() => acts[name]?.(resized)).toThrow(TypeError);
    }
  });

  it('refuses words that are none', () => {
    const words = new Float32Array(2) as unknown as Uint32Array;
    expect(() => PageSet.of({ pageCount: 64, words })).toThrow(TypeError);
    expect(() => PageSet.empty(64).or({ pageCount: 64, words })).toThrow(TypeError);
  });
});
