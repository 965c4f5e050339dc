import { describe, expect, it } from 'vitest';
import { everyCodec } from './every-codec.ts';

const PAGE = 4096;

/** A resizable buffer where this Node.js has them; the types of Node.js 20 do not know of them. */
interface ResizableBuffer extends ArrayBuffer {
  resize(bytes: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ResizableBuffer;

function detached(bytes: number): Uint8Array {
  const array = new Uint8Array(bytes);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

describe.each(everyCodec)('$name, with arrays of every kind', ({ codec }) => {
  it('works on shared, resizable and unaligned memory', () => {
    const resizable = new Uint8Array(new ResizableBuffer(2 * PAGE, { maxByteLength: 8 * PAGE }));
    const kinds = [
      new Uint8Array(new SharedArrayBuffer(PAGE)),
      resizable.subarray(PAGE),
      new Uint8Array(new ArrayBuffer(PAGE + 13), 13),
      Buffer.alloc(PAGE),
    ];
    for (const current of kinds) {
      for (const page of kinds.filter((kind) => kind !== current)) {
        const into = new Uint8Array(new SharedArrayBuffer(PAGE));
        page.fill(0);
        current.fill(0);
        current[4095] = 9;
        const length = codec.encodePage(page, current, into);
        expect(length).toBe(4);
        codec.decodePage(into.subarray(0, length), page);
        expect(Buffer.compare(page, current)).toBe(0);
      }
    }
  });

  it('refuses detached and shrunk memory', () => {
    const [page, out] = [new Uint8Array(PAGE), new Uint8Array(PAGE)];
    const shrunkBuffer = new ResizableBuffer(PAGE, { maxByteLength: PAGE });
    const shrunk = new Uint8Array(shrunkBuffer);
    const outside = new Uint8Array(shrunkBuffer, 0, PAGE);
    shrunkBuffer.resize(100);
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20 });
    const decoder = codec.createDecoder({ pageSizeBytes: PAGE });
    const lengthsBytes = new Int32Array(1);
    for (const gone of [detached(PAGE), shrunk, outside]) {
      expect(() => codec.encodePage(gone, page, out)).toThrow(RangeError);
      expect(() => codec.encodePage(page, gone, out)).toThrow(RangeError);
      expect(() => codec.decodePage(Uint8Array.of(0, 1, 7), gone)).toThrow(RangeError);
      expect(() => encoder.encode(0, gone, out)).toThrow(RangeError);
      expect(() => encoder.encode(0, page, gone)).toThrow(RangeError);
      expect(() => decoder.decode(Uint8Array.of(0, 1, 7), gone)).toThrow(RangeError);
      const batch = { old: page, current: gone, pageSizeBytes: PAGE, into: out, lengthsBytes };
      expect(() => codec.encodePages(batch)).toThrow(RangeError);
    }
    // Outputs may have any length; the shrunk one is there.
    for (const gone of [detached(PAGE), outside]) {
      const batch = { old: page, current: page, pageSizeBytes: PAGE, into: out, lengthsBytes };
      expect(() => codec.encodePage(page, page, gone)).toThrow(RangeError);
      expect(() => codec.encodePage(page, page.slice().fill(1), gone)).toThrow(RangeError);
      expect(() => codec.encodePages({ ...batch, current: page.slice().fill(1), into: gone })).toThrow(RangeError);
      // Even where there is nothing to do.
      const nothing = { pages: new Uint32Array(0), lengthsBytes: new Int32Array(0), pageSizeBytes: PAGE };
      const encodeNothing = { ...nothing, old: page, current: page, into: out };
      for (const part of [{ old: gone, current: gone }, { into: gone }]) {
        expect(() => codec.encodePages({ ...encodeNothing, ...part })).toThrow(RangeError);
      }
      const decodeNothing = { ...nothing, deltas: out, memory: page };
      for (const part of [{ deltas: gone }, { memory: gone }]) {
        expect(() => codec.decodePages({ ...decodeNothing, ...part })).toThrow(RangeError);
      }
    }
    // No room at all, but an array that is there: whatever changed does not fit.
    expect(codec.encodePage(page, page.slice().fill(1), new Uint8Array(0))).toBe(-1);
    expect(encoder.encode(0, page, out).outcome).toBe('raw');
    encoder.close();
    decoder.close();
  });

  it('encodes into the page itself, and into any part of it', () => {
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20 });
    const memory = new Uint8Array(2 * PAGE);
    const receiver = new Uint8Array(PAGE);
    for (const offset of [0, 1, 64, 1000, PAGE]) {
      for (const changed of [0, 1, PAGE]) {
        const page = memory.subarray(0, PAGE);
        page.set(receiver);
        page.subarray(0, changed).forEach((byte, index, bytes) => {
          bytes[index] = byte + 1 + (index % 100);
        });
        const expected = page.slice();
        const into = memory.subarray(offset, offset + PAGE);
        const { outcome, lengthBytes } = encoder.encode(5, page, into);
        if (outcome === 'raw') receiver.set(into);
        if (outcome === 'delta') codec.decodePage(into.subarray(0, lengthBytes), receiver);
        expect(Buffer.compare(receiver, expected), `${offset} ${changed} ${outcome}`).toBe(0);
      }
    }
    encoder.close();
  });
});
