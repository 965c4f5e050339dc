import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QEMU_PAGE_SIZE_BYTES_MAX } from '../src/index.ts';
import { everyCodec, nativeCodecs, typescriptCodec } from './every-codec.ts';
import { GOLDEN_DELTAS, HOSTILE_DELTAS } from './golden-deltas.ts';
import { randomFrom } from './seeded-random.ts';

const { codec: typescript } = typescriptCodec;
/** Every page size there is. */
const PAGE_SIZES_BYTES = Array.from({ length: 12 }, (_, power) => 512 * 2 ** power);

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe.each(everyCodec)('$name', ({ codec }) => {
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

  it.each(PAGE_SIZES_BYTES)('takes lengths as long as a page of %i bytes', (pageSizeBytes) => {
    const random = randomFrom(pageSizeBytes);
    const current = new Uint8Array(pageSizeBytes).map(() => 1 + random(255));
    for (const [from, end] of [
      [0, pageSizeBytes],
      [pageSizeBytes - 1, pageSizeBytes],
      [0, 1],
      [1, pageSizeBytes],
      [0, pageSizeBytes - 1],
    ] as const) {
      const old = current.slice().fill(0, from, end);
      const into = new Uint8Array(pageSizeBytes + 16);
      const length = codec.encodePage(old, current, into);
      codec.decodePage(into.subarray(0, length), old);
      expect(Buffer.compare(old, current)).toBe(0);
      const needsThirdByte = Math.max(from, end - from) > 16383;
      if (needsThirdByte) expect(pageSizeBytes).toBeGreaterThan(QEMU_PAGE_SIZE_BYTES_MAX);
    }
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
    pageSizeBytes: fc.constantFrom(...PAGE_SIZES_BYTES),
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

describe.runIf(nativeCodecs.length > 0)('native and TypeScript', () => {
  it('take and refuse the same hostile deltas, and leave the same page', () => {
    const random = randomFrom(0xf022);
    const [{ codec: native } = typescriptCodec] = nativeCodecs;
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
