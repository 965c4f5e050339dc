import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availableIsas, createXbzrleCodec } from '../src/index.ts';
import { GOLDEN_DELTAS, HOSTILE_DELTAS } from './golden-deltas.ts';

const typescript = createXbzrleCodec({ backend: 'typescript' });
const natives = availableIsas().map((isa) => ({ name: `native ${isa}`, codec: createXbzrleCodec({ isa }) }));
const codecs = [...natives, { name: 'TypeScript', codec: typescript }];

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe.each(codecs)('$name', ({ codec }) => {
  it.each(GOLDEN_DELTAS)('writes and reads $name', ({ pageSizeBytes, edits, capacityBytes, delta }) => {
    const old = new Uint8Array(pageSizeBytes);
    const current = old.slice();
    for (const [offset, hex, times = 1] of edits) current.set(bytesOf(hex.repeat(times)), offset);
    const into = new Uint8Array(capacityBytes ?? pageSizeBytes);
    const length = codec.encodePage(old, current, into);
    if (delta === 'unchanged') return expect(length).toBe(0);
    if (delta === 'overflow') return expect(length).toBe(-1);
    expect(hexOf(into.subarray(0, length))).toBe(delta.replaceAll(' ', ''));
    codec.decodePage(into.subarray(0, length), old);
    expect(hexOf(old)).toBe(hexOf(current));
  });

  it.each(Object.entries(HOSTILE_DELTAS))('refuses %s', (_, hex) => {
    const page = new Uint8Array(4096).fill(7);
    expect(() => codec.decodePage(bytesOf(hex), page)).toThrow(
      expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_DELTA_MALFORMED')),
    );
    expect(page.every((byte) => byte === 7)).toBe(true);
  });

  it('refuses wrong arguments', () => {
    const page = new Uint8Array(4096);
    const out = new Uint8Array(4096);
    expect(() => codec.encodePage(page, page.subarray(1), out)).toThrow(RangeError);
    expect(() => codec.encodePage(new Uint8Array(100), new Uint8Array(100), out)).toThrow(RangeError);
    expect(() => codec.encodePage(new Uint8Array(2 ** 21), new Uint8Array(2 ** 21), out)).toThrow(RangeError);
    expect(() => codec.encodePage(page, out.slice(), page)).toThrow(RangeError);
    expect(() => codec.encodePage(out.slice(), page, page.subarray(10, 20))).toThrow(RangeError);
    expect(() => codec.encodePage([] as unknown as Uint8Array, page, out)).toThrow(TypeError);
    expect(() => codec.decodePage(page.subarray(0, 3), page)).toThrow(RangeError);
    expect(() => codec.decodePage(out, new Uint8Array(100))).toThrow(RangeError);
    expect(() => codec.decodePage('ab' as unknown as Uint8Array, page)).toThrow(TypeError);
  });

  it('gives a page back from its delta, at any size, address and density of changes', () => {
    fc.assert(
      fc.property(pagePairs, ({ old, current }) => {
        const into = new Uint8Array(2 * current.length);
        const length = codec.encodePage(old, current, into);
        const page = old.slice();
        if (length > 0) codec.decodePage(into.subarray(0, length), page);
        expect(length).toBeGreaterThanOrEqual(0);
        expect(Buffer.compare(page, current)).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

/** Pages at any address that differ in runs of any length, some of them nearly everywhere. */
const pagePairs = fc
  .record({
    pageSizeBytes: fc.constantFrom(512, 1024, 4096, 16384, 65536),
    offset: fc.nat(9),
    seed: fc.nat(),
    runs: fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(300) }), {
      maxLength: 40,
    }),
    scattered: fc.constantFrom(0, 0, 0, 7, 100, 1000),
  })
  .map(({ pageSizeBytes, offset, seed, runs, scattered }) => {
    const random = randomFrom(seed);
    const old = new Uint8Array(new ArrayBuffer(offset + pageSizeBytes), offset).map(() => random(256));
    const current = new Uint8Array(new ArrayBuffer(pageSizeBytes + 3), 3);
    current.set(old);
    for (const { at, length } of runs) {
      const start = Math.floor(at * (pageSizeBytes - 1));
      current.subarray(start, start + length).forEach((_, index, run) => {
        run[index] = random(256);
      });
    }
    for (let left = scattered; left > 0; left--) current[random(pageSizeBytes)] = random(256);
    return { old, current };
  });

function randomFrom(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

describe.runIf(natives.length > 0)('native and TypeScript', () => {
  it('write the same deltas and overflow at the same ones, over thousands of pages', () => {
    const random = randomFrom(0x5eed);
    for (let round = 0; round < 5000; round++) {
      const pageSizeBytes = [512, 1024, 4096][random(3)] ?? 512;
      const old = new Uint8Array(pageSizeBytes).map(() => random(4));
      const current = old.slice();
      for (let left = [0, 1, 5, 50, pageSizeBytes][random(5)] ?? 0; left > 0; left--) {
        current[random(pageSizeBytes)] = random(4);
      }
      const capacityBytes = 2 + random(pageSizeBytes + 64);
      const expected = new Uint8Array(capacityBytes);
      const length = typescript.encodePage(old, current, expected);
      for (const { name, codec } of natives) {
        const into = new Uint8Array(capacityBytes);
        if (codec.encodePage(old, current, into) !== length) expect.fail(`${name}: another length in round ${round}`);
        if (length > 0 && Buffer.compare(into.subarray(0, length), expected.subarray(0, length)) !== 0) {
          expect.fail(`${name}: another delta in round ${round}`);
        }
      }
    }
  });

  it('take and refuse the same hostile deltas, and leave the same page', () => {
    const random = randomFrom(0xf022);
    const [{ codec: native } = { codec: typescript }] = natives;
    const into = new Uint8Array(2048);
    let [taken, refused] = [0, 0];
    for (let round = 0; round < 20_000; round++) {
      const pageSizeBytes = random(4) === 0 ? 32768 : 1024;
      const old = new Uint8Array(pageSizeBytes);
      const delta = hostileDelta(random, old, into);
      const [one, other] = [old.slice(), old.slice()];
      const outcome = refusalOf(() => native.decodePage(delta, one));
      if (outcome !== refusalOf(() => typescript.decodePage(delta, other))) expect.fail(`they differ: ${hexOf(delta)}`);
      if (Buffer.compare(one, other) !== 0) expect.fail(`the pages differ: ${hexOf(delta)}`);
      if (outcome && Buffer.compare(one, old) !== 0) expect.fail(`a refused delta was applied: ${hexOf(delta)}`);
      outcome ? refused++ : taken++;
    }
    expect(Math.min(taken, refused)).toBeGreaterThan(1000);
  });
});

/** Random bytes, or a sound delta with a byte changed, cut off or added. */
function hostileDelta(random: (limit: number) => number, old: Uint8Array, into: Uint8Array): Uint8Array {
  if (random(3) === 0) return new Uint8Array(random(12)).map(() => (random(2) === 0 ? random(8) : random(256)));
  const current = old.slice();
  for (let left = 1 + random(20); left > 0; left--) current[random(old.length)] = 1 + random(255);
  const delta = into.slice(0, typescript.encodePage(old, current, into));
  const kind = random(3);
  if (kind === 0) return delta.slice(0, random(delta.length));
  if (kind === 1) return Uint8Array.of(...delta, random(256));
  delta[random(delta.length)] = random(256);
  return delta;
}

function refusalOf(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!isGodwitError(error, 'ERR_GODWIT_DELTA_MALFORMED')) throw error;
    return true;
  }
}
