import { isGodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { availableIsas, createXbzrleCodec, type Isa } from '../src/index.ts';

const isas = availableIsas();
const PAGE = 4096;
const codecs = [
  ...isas.map((isa) => ({ name: `native ${isa}`, codec: createXbzrleCodec({ isa }) })),
  { name: 'TypeScript', codec: createXbzrleCodec({ backend: 'typescript' }) },
];

describe('createXbzrleCodec', () => {
  it('takes the native build where it is there, and says so', () => {
    expect(createXbzrleCodec().backend).toBe(isas.length > 0 ? 'native' : 'typescript');
  });

  it('refuses what is not there', () => {
    expect(() => createXbzrleCodec({ isa: 'altivec' as Isa })).toThrow(
      expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')),
    );
    expect(() => createXbzrleCodec({ backend: 'typescript', isa: 'scalar' })).toThrow(TypeError);
    expect(() => createXbzrleCodec({ backend: 'wasm' as 'native' })).toThrow(TypeError);
  });
});

describe.each(codecs)('an encoder of $name', ({ codec }) => {
  it('counts what it does', () => {
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20 });
    expect(encoder.statistics()).toMatchObject({ hitPages: 0, missPages: 0, encodingRate: 0 });
    const page = new Uint8Array(PAGE);
    const out = new Uint8Array(PAGE);
    encoder.encode(1, page, out);
    encoder.encode(1, page, out);
    page[0] = 1;
    encoder.encode(1, page, out);
    const counts = {
      hitPages: 2,
      missPages: 1,
      refusedPages: 0,
      unchangedPages: 1,
      deltaPages: 1,
      overflowPages: 0,
      deltaBytes: 3,
    };
    expect(encoder.statistics()).toEqual({ ...counts, encodingRate: (2 * PAGE) / 3 });
    encoder.encode(1, page.fill(9), out);
    encoder.close();
    expect(encoder.statistics()).toEqual({
      ...counts,
      hitPages: 3,
      overflowPages: 1,
      encodingRate: (3 * PAGE) / (3 + PAGE),
    });
  });

  it('still finds pages where a sweep is larger than its cache', () => {
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 64 * (PAGE + 16) });
    const page = new Uint8Array(PAGE);
    const out = new Uint8Array(PAGE);
    for (let sweep = 0; sweep < 10; sweep++) for (let index = 0; index < 100; index++) encoder.encode(index, page, out);
    const { hitPages, missPages, refusedPages } = encoder.statistics();
    expect(hitPages + missPages).toBe(1000);
    expect(hitPages).toBeGreaterThan(9 * 50);
    expect(refusedPages).toBeGreaterThan(0);
    encoder.close();
  });

  it('refuses a cache larger than any memory', () => {
    expect(() => codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 52 })).toThrow(
      expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')),
    );
  });
});

describe.runIf(isas.length > 0)('native and TypeScript encoders', () => {
  it('make the same choices over a long history', () => {
    for (const cachedPages of [1, 5, 30, 100]) {
      const cacheBytes = cachedPages * (512 + 16);
      const encoders = codecs.map(({ codec }) => codec.createEncoder({ pageSizeBytes: 512, cacheBytes }));
      let state = 99;
      const random = (limit: number): number => {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        return (state >>> 8) % limit;
      };
      const pages = Array.from({ length: 60 }, () => new Uint8Array(512));
      const outs = encoders.map(() => new Uint8Array(512));
      for (let step = 0; step < 3000; step++) {
        const index = random(8) === 0 ? random(60) : random(20);
        const page = pages[index] ?? new Uint8Array(512);
        for (let left = random(3) * random(60); left > 0; left--) page[random(512)] = random(256);
        const name = (index * 0x0123_4567) % 2 ** 32;
        if (random(50) === 0) for (const encoder of encoders) encoder.forget(name);
        const coded = encoders.map((encoder, which) => encoder.encode(name, page, outs[which] ?? new Uint8Array(512)));
        const [first] = coded;
        for (const [which, other] of coded.entries()) {
          if (other.outcome !== first?.outcome || other.lengthBytes !== first.lengthBytes) {
            expect.fail(`${codecs[which]?.name}: ${other.outcome} where another has ${first?.outcome}, step ${step}`);
          }
          const [sent, expected] = [outs[which], outs[0]].map((out) => out?.subarray(0, other.lengthBytes));
          expect(Buffer.compare(sent ?? Buffer.of(), expected ?? Buffer.of())).toBe(0);
        }
      }
      const [expected, ...others] = encoders.map((encoder) => encoder.statistics());
      for (const other of others) expect(other).toEqual(expected);
      for (const encoder of encoders) encoder.close();
    }
  });
});
