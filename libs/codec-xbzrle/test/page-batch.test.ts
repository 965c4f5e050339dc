import { isGodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import type { DecodeBatch, EncodeBatch } from '../src/index.ts';
import { everyCodec, nativeCodecs } from './every-codec.ts';

const PAGE = 512;

/** Four pages of which the second and the last changed. */
function batch(): EncodeBatch & { into: Uint8Array; lengthsBytes: Int32Array } {
  const old = new Uint8Array(4 * PAGE);
  const current = old.slice();
  current[PAGE + 5] = 7;
  current.fill(9, 3 * PAGE + 100, 3 * PAGE + 103);
  return { old, current, pageSizeBytes: PAGE, into: new Uint8Array(4 * PAGE), lengthsBytes: new Int32Array(4) };
}

const DELTAS = [5, 1, 7, 100, 3, 9, 9, 9];

describe.each(everyCodec)('batches of $name', ({ codec }) => {
  it('lay deltas one behind the other and apply them', () => {
    const pages = batch();
    const used = codec.encodePages(pages);
    expect([...pages.into.subarray(0, used)]).toEqual(DELTAS);
    expect([...pages.lengthsBytes]).toEqual([0, 3, 0, 5]);
    const { into, lengthsBytes, current } = pages;
    const memory = pages.old.slice();
    expect(codec.decodePages({ deltas: into, lengthsBytes, memory, pageSizeBytes: PAGE })).toBe(2);
    expect(Buffer.compare(memory, current)).toBe(0);
  });

  it('take pages in any order, and repeatedly', () => {
    const pages = Uint32Array.of(3, 0, 1, 3);
    const { old, current, into, lengthsBytes, ...given } = { ...batch(), pages };
    expect(codec.encodePages({ ...given, old, current, into, lengthsBytes })).toBe(13);
    expect([...lengthsBytes]).toEqual([5, 0, 3, 5]);
    const memory = old.slice();
    expect(codec.decodePages({ deltas: into, lengthsBytes, pages, memory, pageSizeBytes: PAGE })).toBe(3);
    expect(Buffer.compare(memory, current)).toBe(0);
  });

  it('mark deltas that do not fit or pay', () => {
    const full = { ...batch(), into: new Uint8Array(5) };
    expect(codec.encodePages(full)).toBe(3);
    expect([...full.lengthsBytes]).toEqual([0, 3, 0, -1]);
    const strict = { ...batch(), deltaBytesMax: 6 };
    expect(codec.encodePages(strict)).toBe(3);
    expect([...strict.lengthsBytes]).toEqual([0, 3, 0, -1]);
  });

  it('take nothing', () => {
    const [nothing, lengthsBytes] = [new Uint8Array(0), new Int32Array(0)];
    const pages = { old: nothing, current: nothing, into: nothing, lengthsBytes, pageSizeBytes: PAGE };
    expect(codec.encodePages(pages)).toBe(0);
    expect(codec.decodePages({ deltas: nothing, lengthsBytes, memory: nothing, pageSizeBytes: PAGE })).toBe(0);
    expect(codec.encodePages({ ...batch(), pages: new Uint32Array(0), lengthsBytes })).toBe(0);
  });

  it('name the damaged entry, leave its page alone, and keep what was done', () => {
    const memory = new Uint8Array(4 * PAGE);
    const deltas = Uint8Array.from([...DELTAS.slice(0, 3), 0, 0, 7]);
    const lengthsBytes = Int32Array.of(-1, 3, 0, 3);
    const damaged = { deltas, lengthsBytes, memory, pageSizeBytes: PAGE };
    const refusal = expect.toSatisfy(
      (error) => isGodwitError(error, 'ERR_GODWIT_DELTA_MALFORMED') && error.message.includes('entry 3'),
    );
    expect(() => codec.decodePages(damaged)).toThrow(refusal);
    expect(memory[PAGE + 5]).toBe(7);
    expect(memory.subarray(3 * PAGE).every((byte) => byte === 0)).toBe(true);
  });

  it('refuse what does not go together, before anything is written', () => {
    const good = batch();
    const { old, current, into } = good;
    const wrong: Partial<EncodeBatch>[] = [
      { pageSizeBytes: 500 },
      { pageSizeBytes: 1024 },
      { current: current.subarray(PAGE) },
      { old: old.subarray(1), current: current.subarray(1) },
      { lengthsBytes: new Int32Array(3) },
      { pages: Uint32Array.of(0, 1) },
      { pages: Uint32Array.of(0, 1, 2, 4) },
      { pages: Uint32Array.of(0, 1, 2, 0xffffffff) },
      { into: current },
      { into: old.subarray(10, 20) },
      { lengthsBytes: new Int32Array(into.buffer, 0, 4) },
      { lengthsBytes: new Int32Array(old.buffer, 0, 4) },
      { pages: new Uint32Array(into.buffer, 8, 4) },
      { pages: new Uint32Array(good.lengthsBytes.buffer) },
      { deltaBytesMax: 0 },
      { deltaBytesMax: PAGE },
      { deltaBytesMax: 1.5 },
    ];
    for (const part of wrong) expect(() => codec.encodePages({ ...good, ...part })).toThrow(RangeError);
    const kinds = [{ into: [] }, { lengthsBytes: new Uint32Array(4) }, { pages: [0, 1, 2, 3] }, { old: 'old' }];
    for (const part of kinds) {
      expect(() => codec.encodePages({ ...good, ...part } as unknown as EncodeBatch)).toThrow(TypeError);
    }
    expect([...into, ...good.lengthsBytes].every((value) => value === 0)).toBe(true);
    const memory = old.slice();
    const deltas = Uint8Array.from(DELTAS);
    const fine = { deltas, lengthsBytes: Int32Array.of(0, 3, 0, 5), memory, pageSizeBytes: PAGE };
    const wrongDeltas: Partial<DecodeBatch>[] = [
      { lengthsBytes: Int32Array.of(0, 3, 0, 6) },
      { lengthsBytes: Int32Array.of(0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff) },
      { lengthsBytes: Int32Array.of(3, 5) },
      { pages: Uint32Array.of(0, 1, 2, 4) },
      { memory: memory.subarray(1) },
      { memory: memory.subarray(PAGE) },
      { deltas: memory.subarray(0, 8) },
      { lengthsBytes: new Int32Array(memory.buffer, 0, 4) },
      { pages: new Uint32Array(memory.buffer, PAGE, 4) },
      { pageSizeBytes: 0 },
    ];
    for (const part of wrongDeltas) expect(() => codec.decodePages({ ...fine, ...part })).toThrow(RangeError);
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });
});

/** Shared memory twice, by buffers that do not know of each other, as other threads have them. */
function twice(bytes: number): [SharedArrayBuffer, SharedArrayBuffer] {
  const memory = new SharedArrayBuffer(bytes);
  return [memory, structuredClone(memory)];
}

describe.each(nativeCodecs)('$name', ({ codec }) => {
  it('sees shared memory that overlaps under another name', () => {
    const good = batch();
    const [one, other] = twice(4 * PAGE);
    const bytes = new Uint8Array(one);
    const [lengthsBytes, pages] = [new Int32Array(other, 8, 4), new Uint32Array(other, 16, 4)];
    const wrong: Partial<EncodeBatch>[] = [
      { into: bytes, old: new Uint8Array(other) },
      { into: bytes, current: new Uint8Array(other) },
      { into: bytes, lengthsBytes },
      { into: bytes, pages },
      { old: bytes, lengthsBytes },
      { current: bytes, lengthsBytes },
      { lengthsBytes: new Int32Array(one, 16, 4), pages },
    ];
    for (const part of wrong) expect(() => codec.encodePages({ ...good, ...part })).toThrow(RangeError);
    const fine = { deltas: Uint8Array.from(DELTAS), lengthsBytes: Int32Array.of(0, 3, 0, 5), pageSizeBytes: PAGE };
    for (const part of [{ deltas: new Uint8Array(other) }, { lengthsBytes }, { pages }]) {
      expect(() => codec.decodePages({ ...fine, ...part, memory: bytes })).toThrow(RangeError);
    }
    const [old, into] = [bytes.subarray(0, PAGE), new Uint8Array(other, 8, PAGE)];
    expect(() => codec.encodePage(old, bytes.subarray(PAGE, 2 * PAGE), into)).toThrow(RangeError);
    expect(() => codec.decodePage(into.subarray(0, 8), old)).toThrow(RangeError);
    expect(() => codec.createDecoder({ pageSizeBytes: PAGE }).decode(into.subarray(0, 8), old)).toThrow(RangeError);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});
