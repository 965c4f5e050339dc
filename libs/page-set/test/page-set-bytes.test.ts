import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availableIsas, PageSet, type PageSetOptions } from '../src/index.ts';

const ways: PageSetOptions[] = [{ backend: 'typescript' }, ...availableIsas().map((isa) => ({ isa }))];

/** How many damaged or random inputs the decoder is fed. */
const HOSTILE_INPUTS = 20_000;

const sets = fc
  .record({
    pageCount: fc.oneof(fc.nat(200), fc.nat(300_000), fc.constantFrom(65_535, 65_536, 65_537, 131_072)),
    starts: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.oneof(fc.nat(4), fc.nat(90_000))), {
      maxLength: 30,
    }),
    dense: fc.boolean(),
  })
  .map(({ pageCount, starts, dense }) => {
    const set = PageSet.empty(pageCount);
    for (const [share, length] of starts) {
      const first = Math.floor(share * pageCount);
      set.addRun(first, Math.min(length, pageCount - first));
    }
    // Every third page: more runs than pay, which takes the other form.
    if (dense) for (let page = 0; page < Math.min(pageCount, 70_000); page += 3) set.add(page);
    return set;
  });

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function outcomeOf(bytes: Uint8Array, pageCountMax?: number): PageSet | 'malformed' {
  try {
    return PageSet.fromBytes(bytes, pageCountMax === undefined ? {} : { pageCountMax });
  } catch (error) {
    if (isGodwitError(error, 'ERR_GODWIT_PAGE_SET_MALFORMED')) return 'malformed';
    throw error;
  }
}

describe('the bytes of a page set', () => {
  it('come back as the set they were, shorter than its words', () => {
    fc.assert(
      fc.property(sets, fc.constantFrom(...ways), (set, way) => {
        const bytes = PageSet.of({ pageCount: set.pageCount, words: set.words }, way).toBytes();
        const back = PageSet.fromBytes(bytes, way);
        expect(back.pageCount).toBe(set.pageCount);
        expect(back.equals(set)).toBe(true);
        const chunks = Math.ceil(set.pageCount / 65_536);
        expect(bytes.length).toBeLessThanOrEqual(14 + Math.ceil(set.pageCount / 8) + 5 * chunks);
      }),
    );
  });

  it.each([
    ['no pages', PageSet.empty(0), '47505301 00 00'],
    ['an empty set of 8 GiB', PageSet.empty(2_097_152), '47505301 80808001 00'],
    // One chunk, none left out, as runs: two of them; 7 pages before and 1 page; 2 more between and 3 pages.
    ['two runs', PageSet.fromRuns(64, Uint32Array.of(7, 1, 11, 3)), '47505301 40 01 00 02 07 00 02 02'],
    // Chunk 2 (two left out): page 131,072 + 5.
    ['a page in the third chunk', PageSet.fromPages(200_000, [131_077]), '47505301 c09a0c 01 04 01 05 00'],
    // Eight of ten pages every other one: five runs take 11 bytes, the bitmap two.
    ['a bitmap', PageSet.fromPages(10, [0, 2, 4, 6, 8]), '47505301 0a 01 01 5501'],
    ['all of two chunks', PageSet.full(131_072), '47505301 808008 02 00 01 00 ffff03 00 01 00 ffff03'],
  ])('are those of the golden vector: %s', (_, set, golden) => {
    expect([...set.toBytes()]).toEqual([...hex(golden)]);
    expect(PageSet.fromBytes(hex(golden)).equals(set)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['another beginning', '47505302 00 00'],
    ['no page count', '47505301'],
    ['a page count cut off', '47505301 80'],
    ['a page count of 2^35', '47505301 ffffffffff01 00'],
    ['a page count that takes more bytes than need be', '47505301 c000 00'],
    ['more chunks than the pages have', '47505301 40 02 00 01 00 00 00 01 00 00'],
    ['a chunk beyond the pages', '47505301 40 01 02 01 00 00'],
    ['a chunk without a run', '47505301 40 01 00 00'],
    ['a run that leaves the pages', '47505301 40 01 00 01 3f 01'],
    ['a run of 2^32 pages', '47505301 40 01 00 01 00 ffffffff0f'],
    ['an empty bitmap', '47505301 0a 01 01 0000'],
    ['a bitmap with pages beyond the last', '47505301 0a 01 01 0104'],
    ['a bitmap cut off', '47505301 0a 01 01 01'],
    ['bytes after the end', '47505301 00 00 00'],
  ])('are refused: %s', (_, text) => {
    expect(outcomeOf(hex(text))).toBe('malformed');
  });

  it('are refused before memory is taken where they claim too many pages', () => {
    expect(outcomeOf(hex('47505301 ffffffff0f 00'))).toBe('malformed');
    expect(outcomeOf(PageSet.empty(65).toBytes(), 64)).toBe('malformed');
    expect(outcomeOf(PageSet.empty(64).toBytes(), 64)).toBeInstanceOf(PageSet);
    expect(() => PageSet.fromBytes('GPS' as unknown as Uint8Array)).toThrow(TypeError);
    expect(() => PageSet.fromBytes(new Uint8Array(0), { pageCountMax: -1 })).toThrow(RangeError);
  });

  it(`are refused or understood, whatever they are (${HOSTILE_INPUTS} inputs)`, () => {
    let understood = 0;
    let refused = 0;
    const damage = fc.record({
      set: sets,
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      byte: fc.nat(255),
      cut: fc.boolean(),
    });
    const random = fc.uint8Array({ maxLength: 40 });
    // 64 pages, one chunk, then small numbers: near enough to be understood now and then.
    const near = fc
      .array(fc.nat(5), { minLength: 3, maxLength: 6 })
      .map((numbers) => Uint8Array.of(0x47, 0x50, 0x53, 1, 64, 1, 0, ...numbers));
    const inputs = fc.oneof(
      random.map((tail) => Uint8Array.of(0x47, 0x50, 0x53, 1, ...tail)),
      near,
      damage.map(({ set, at, byte, cut }) => {
        const bytes = set.toBytes();
        const index = Math.floor(at * bytes.length);
        if (cut) return bytes.slice(0, index);
        bytes[index] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        const outcome = outcomeOf(bytes, 400_000);
        if (outcome === 'malformed') {
          refused++;
          return;
        }
        understood++;
        expect(outcome.pageCount).toBeLessThanOrEqual(400_000);
        expect(PageSet.fromBytes(outcome.toBytes()).equals(outcome)).toBe(true);
      }),
      { numRuns: HOSTILE_INPUTS },
    );
    expect(understood + refused).toBeGreaterThanOrEqual(HOSTILE_INPUTS);
    expect(understood).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });
});
