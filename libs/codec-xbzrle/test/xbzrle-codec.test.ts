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
    expect(encoder.statistics()).toMatchObject({
      encodedPages: 0,
      cacheMissPages: 0,
      cacheMissRate: 0,
      encodingRate: 0,
    });
    const page = new Uint8Array(PAGE);
    const out = new Uint8Array(PAGE);
    encoder.encode(1, page, out);
    encoder.encode(1, page, out);
    page[0] = 1;
    encoder.encode(1, page, out);
    const counts = {
      cacheSizeBytes: 248 * (PAGE + 16),
      encodedPages: 2,
      encodedBytes: 3,
      cacheMissPages: 1,
      cacheMissRate: 1 / 3,
      refusedPages: 0,
      skippedPages: 0,
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
      encodedPages: 3,
      encodedBytes: 3 + PAGE,
      cacheMissRate: 1 / 4,
      overflowPages: 1,
      encodingRate: (3 * PAGE) / (3 + PAGE),
    });
  });

  it('still finds pages where a sweep is larger than its cache', () => {
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 64 * (PAGE + 16) });
    const page = new Uint8Array(PAGE);
    const out = new Uint8Array(PAGE);
    for (let sweep = 0; sweep < 10; sweep++) for (let index = 0; index < 100; index++) encoder.encode(index, page, out);
    const { encodedPages, cacheMissPages, refusedPages } = encoder.statistics();
    expect(encodedPages + cacheMissPages).toBe(1000);
    expect(encodedPages).toBeGreaterThan(9 * 50);
    expect(refusedPages).toBeGreaterThan(0);
    encoder.close();
  });

  it('refuses a cache larger than any memory', () => {
    expect(() => codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 52 })).toThrow(
      expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')),
    );
  });
});
