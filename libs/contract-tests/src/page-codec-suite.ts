import { type CodedOutcome, type ErrorCode, isGodwitError, type PageCodec } from '@godwit/ports';
import { expect } from 'vitest';
import { type Fixture, type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { SeededBytes } from './seeded-bytes.ts';

/** The codec under test. */
export interface PageCodecFixture extends Fixture {
  readonly codec: PageCodec;
}

const PAGE_SIZES_BYTES = [512, 4096, 65536] as const;
const PAGE = 4096;

/** A sender, a receiver, and what the receiver holds of each page. */
class CodecLink {
  readonly encoder: ReturnType<PageCodec['createEncoder']>;
  readonly decoder: ReturnType<PageCodec['createDecoder']>;
  readonly copies: Map<number, Uint8Array> = new Map();
  readonly outcomes: Partial<Record<CodedOutcome, number>> = {};
  readonly #out: Uint8Array;

  constructor(codec: PageCodec, pageSizeBytes: number, cachedPages: number) {
    this.encoder = codec.createEncoder({ pageSizeBytes, cacheBytes: cachedPages * (pageSizeBytes + 64) });
    this.decoder = codec.createDecoder({ pageSizeBytes });
    this.#out = new Uint8Array(pageSizeBytes);
  }

  /** Sends a page and returns what was sent; throws where the receiver then holds something else. */
  send(page: number, content: Uint8Array): Uint8Array {
    const before = content.slice();
    const { outcome, lengthBytes } = this.encoder.encode(page, content, this.#out);
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    const sent = this.#out.slice(0, lengthBytes);
    expect(equal(content, before), 'the encoder leaves the page alone').toBe(true);
    if (outcome === 'unchanged') expect(lengthBytes).toBe(0);
    else if (outcome === 'raw') this.copies.set(page, sent.slice());
    else {
      expect(lengthBytes, 'a delta is smaller than its page, and not empty').toBeLessThan(content.length);
      expect(lengthBytes).toBeGreaterThan(0);
      const copy = this.copies.get(page);
      if (copy === undefined) expect.fail('a delta for a page that was never sent');
      this.decoder.decode(sent, copy);
    }
    const copy = this.copies.get(page);
    if (copy === undefined || !equal(copy, content)) expect.fail(`the receiver's page differs after ${outcome}`);
    return sent;
  }

  close(): void {
    this.encoder.close();
    this.decoder.close();
  }
}

/** Some deltas with the pages they were made against. */
function deltasOf(codec: PageCodec, count: number): { delta: Uint8Array; base: Uint8Array }[] {
  const random = new SeededBytes(0xde17a);
  const link = new CodecLink(codec, PAGE, 64);
  const content = random.fill(new Uint8Array(PAGE));
  const deltas: { delta: Uint8Array; base: Uint8Array }[] = [];
  link.send(0, content);
  for (let step = 0; step < 4 * count && deltas.length < count; step++) {
    const base = content.slice();
    edit(content, random, 1 + random.below(40));
    const delta = link.send(0, content);
    if (delta.length > 0 && delta.length < PAGE) deltas.push({ delta, base });
  }
  link.close();
  expect(deltas.length, 'small changes are sent as deltas').toBe(count);
  return deltas;
}

/** What every `PageCodec` must do. */
export const pageCodecCases: readonly ContractCase<PageCodecFixture>[] = [
  {
    name: 'names itself, its code on the wire and its backend',
    run({ codec }) {
      expect(codec.name).not.toBe('');
      expect(Number.isInteger(codec.code) && codec.code >= 1 && codec.code <= 255).toBe(true);
      expect(['native', 'typescript']).toContain(codec.backend);
      const link = new CodecLink(codec, PAGE, 8);
      expect(link.encoder.pageSizeBytes).toBe(PAGE);
      expect(link.decoder.pageSizeBytes).toBe(PAGE);
      for (const half of [link.encoder, link.decoder]) {
        expect(half.capsule !== undefined).toBe(codec.backend === 'native');
      }
      link.close();
    },
  },
  {
    name: 'sends a page whole, then nothing, then what changed',
    run({ codec }) {
      for (const pageSizeBytes of PAGE_SIZES_BYTES) {
        const link = new CodecLink(codec, pageSizeBytes, 8);
        const content = new SeededBytes(1).fill(new Uint8Array(pageSizeBytes));
        link.send(3, content);
        link.send(3, content);
        content[100] = ~(content[100] ?? 0);
        const delta = link.send(3, content);
        expect(link.outcomes).toEqual({ raw: 1, unchanged: 1, delta: 1 });
        expect(delta.length, 'one byte costs little').toBeLessThan(64);
        link.close();
      }
    },
  },
  {
    name: 'sees a single byte wherever it is',
    run({ codec }) {
      const link = new CodecLink(codec, 512, 8);
      const content = new Uint8Array(512);
      link.send(0, content);
      for (let at = 0; at < content.length; at++) {
        content[at] = 1 + (at % 255);
        link.send(0, content);
      }
      expect(link.outcomes.delta).toBe(512);
      link.close();
    },
  },
  {
    name: 'sends a page whole that has nothing in common with what was sent, and remembers it',
    run({ codec }) {
      const link = new CodecLink(codec, PAGE, 8);
      const content = new Uint8Array(PAGE);
      link.send(0, content);
      link.send(0, content.fill(1));
      expect(link.outcomes).toEqual({ raw: 2 });
      link.send(0, content);
      content[PAGE - 1] = 9;
      link.send(0, content);
      expect(link.outcomes).toEqual({ raw: 2, unchanged: 1, delta: 1 });
      link.close();
    },
  },
  {
    name: 'follows every page through any history, with room for all of them and for few',
    run({ codec }) {
      const random = new SeededBytes(0x5eed);
      for (const cachedPages of [1, 3, 10, 40]) {
        for (const pageSizeBytes of PAGE_SIZES_BYTES) {
          const link = new CodecLink(codec, pageSizeBytes, cachedPages);
          const pages = Array.from({ length: 16 }, () => new Uint8Array(pageSizeBytes));
          for (let step = 0; step < 150; step++) {
            const index = random.below(pages.length);
            const content = pages[index] ?? new Uint8Array(pageSizeBytes);
            const name = index * 0x0fff_ffff;
            if (random.below(12) === 0) {
              content.fill(0);
              link.copies.set(name, content.slice());
              link.encoder.forget(name);
              continue;
            }
            edit(content, random, [0, 1, 20, pageSizeBytes / 8, pageSizeBytes * 4][random.below(5)] ?? 0);
            link.send(name, content);
          }
          link.close();
        }
      }
    },
  },
  {
    name: 'sends a page whole after it was told to forget it',
    run({ codec }) {
      const link = new CodecLink(codec, PAGE, 64);
      const content = new Uint8Array(PAGE);
      link.encoder.forget(1);
      link.send(1, content);
      link.send(2, content);
      link.encoder.forget(1);
      link.send(1, content);
      expect(link.outcomes).toEqual({ raw: 3 });
      link.send(2, content);
      expect(link.outcomes).toEqual({ raw: 3, unchanged: 1 });
      link.close();
    },
  },
  {
    name: 'hands out and remembers copies, also of shared memory',
    run({ codec }) {
      const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20 });
      const content = new Uint8Array(new SharedArrayBuffer(PAGE + 1), 1);
      const out = new Uint8Array(PAGE + 7).fill(0xee);
      expect(encoder.encode(0, content, out)).toEqual({ outcome: 'raw', lengthBytes: PAGE });
      expect([...out.subarray(PAGE)], 'nothing is written behind the page').toEqual(Array(7).fill(0xee));
      content.fill(5);
      expect(out.subarray(0, PAGE).every((byte) => byte === 0)).toBe(true);
      out.fill(9);
      expect(encoder.encode(0, content.fill(0), out)).toEqual({ outcome: 'unchanged', lengthBytes: 0 });
      encoder.close();
    },
  },
  {
    name: 'refuses damaged deltas and leaves the page alone',
    run({ codec }) {
      const decoder = codec.createDecoder({ pageSizeBytes: PAGE });
      const random = new SeededBytes(0xbad);
      let refused = 0;
      const attempt = (delta: Uint8Array, base: Uint8Array): void => {
        const page = base.slice();
        try {
          decoder.decode(delta, page);
        } catch (error) {
          expect(isGodwitError(error, 'ERR_GODWIT_DELTA_MALFORMED'), String(error)).toBe(true);
          expect(equal(page, base), 'a refused delta leaves the page untouched').toBe(true);
          refused++;
        }
      };
      for (const { delta, base } of deltasOf(codec, 12)) {
        for (let length = 0; length < delta.length; length++) attempt(delta.subarray(0, length), base);
        for (let round = 0; round < 100; round++) {
          const damaged = delta.slice();
          damaged[random.below(damaged.length)] = random.below(256);
          attempt(damaged, base);
          attempt(random.fill(new Uint8Array(1 + random.below(64))), base);
        }
      }
      attempt(new Uint8Array(0), new Uint8Array(PAGE));
      attempt(random.fill(new Uint8Array(3 * PAGE)), new Uint8Array(PAGE));
      expect(refused, 'most damage is noticed').toBeGreaterThan(500);
      decoder.close();
    },
  },
  {
    name: 'refuses a delta that overlaps its page, and leaves the page alone',
    run({ codec }) {
      const decoder = codec.createDecoder({ pageSizeBytes: PAGE });
      for (const { delta, base } of deltasOf(codec, 12)) {
        const memory = new Uint8Array(delta.length + PAGE);
        const page = memory.subarray(delta.length);
        for (const offset of [1, delta.length >> 1, delta.length, 2 * delta.length]) {
          memory.set(delta, offset);
          const before = memory.slice();
          const overlapping = memory.subarray(offset, offset + delta.length);
          expect(() => decoder.decode(overlapping, page)).toThrow(RangeError);
          expect(equal(memory, before), 'a refused delta leaves the page untouched').toBe(true);
        }
        memory.set(delta);
        page.set(base);
        decoder.decode(memory.subarray(0, delta.length), page);
        const copy = base.slice();
        decoder.decode(delta, copy);
        expect(equal(page, copy), 'a delta may lie right before its page').toBe(true);
      }
      decoder.close();
    },
  },
  {
    name: 'refuses wrong arguments',
    run({ codec }) {
      for (const pageSizeBytes of [0, -4096, 100, 4095, 4096.5, Number.NaN]) {
        expect(() => codec.createEncoder({ pageSizeBytes, cacheBytes: 2 ** 20 })).toThrow(RangeError);
        expect(() => codec.createDecoder({ pageSizeBytes })).toThrow(RangeError);
      }
      for (const cacheBytes of [0, -1, 100, Number.NaN]) {
        expect(() => codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes })).toThrow(RangeError);
      }
      const link = new CodecLink(codec, PAGE, 8);
      const page = new Uint8Array(PAGE);
      for (const index of [-1, 0.5, Number.NaN, 2 ** 32]) {
        expect(() => link.encoder.encode(index, page, page.slice())).toThrow(RangeError);
        expect(() => link.encoder.forget(index)).toThrow(RangeError);
      }
      for (const wrong of [page.subarray(1), new Uint8Array(PAGE + 1)]) {
        expect(() => link.encoder.encode(0, wrong, new Uint8Array(2 * PAGE))).toThrow(RangeError);
        expect(() => link.decoder.decode(Uint8Array.of(0), wrong)).toThrow(RangeError);
      }
      expect(() => link.encoder.encode(0, page, new Uint8Array(PAGE - 1))).toThrow(RangeError);
      link.send(0, page);
      expect(link.outcomes, 'nothing that was refused is remembered').toEqual({ raw: 1 });
      link.close();
    },
  },
  {
    name: 'refuses memory that is gone, and goes on',
    run({ codec }) {
      const link = new CodecLink(codec, PAGE, 8);
      const page = new SeededBytes(4).fill(new Uint8Array(PAGE));
      link.send(0, page);
      const gone = new Uint8Array(PAGE);
      structuredClone(gone.buffer, { transfer: [gone.buffer] });
      expect(() => link.encoder.encode(0, gone, page.slice())).toThrow(RangeError);
      expect(() => link.encoder.encode(0, page, gone)).toThrow(RangeError);
      expect(() => link.decoder.decode(Uint8Array.of(0), gone)).toThrow(RangeError);
      expectCode(() => link.decoder.decode(gone, page.slice()), 'ERR_GODWIT_DELTA_MALFORMED');
      link.send(0, page);
      expect(link.outcomes, 'nothing that was refused is remembered').toEqual({ raw: 1, unchanged: 1 });
      link.close();
    },
  },
  {
    name: 'works on shared memory, at any address',
    run({ codec }) {
      const link = new CodecLink(codec, PAGE, 8);
      const random = new SeededBytes(7);
      for (const offset of [0, 1, 8, 63, 64]) {
        const content = new Uint8Array(new SharedArrayBuffer(PAGE + offset), offset);
        for (const writes of [0, 1, 30, 2 * PAGE, 1]) {
          edit(content, random, writes);
          link.send(offset, content);
        }
      }
      expect(link.outcomes.delta ?? 0).toBeGreaterThanOrEqual(10);
      link.close();
    },
  },
  {
    name: 'closes once and for all',
    run({ codec }) {
      const link = new CodecLink(codec, PAGE, 8);
      link.close();
      link.close();
      const page = new Uint8Array(PAGE);
      expectCode(() => link.encoder.encode(0, page, page.slice()), 'ERR_GODWIT_CLOSED');
      expectCode(() => link.encoder.forget(0), 'ERR_GODWIT_CLOSED');
      expectCode(() => link.decoder.decode(Uint8Array.of(0), page), 'ERR_GODWIT_CLOSED');
    },
  },
];

/** Registers `pageCodecCases` over a fixture made anew for each. */
export function pageCodecSuite(name: string, make: FixtureMaker<PageCodecFixture>): void {
  registerCases(`page codec ${name}`, pageCodecCases, make);
}

function edit(content: Uint8Array, random: SeededBytes, writes: number): void {
  for (let left = writes; left > 0; left--) content[random.below(content.length)] = random.below(256);
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function expectCode(work: () => unknown, code: ErrorCode): void {
  try {
    work();
  } catch (error) {
    expect(isGodwitError(error, code), `throws ${code}, not ${String(error)}`).toBe(true);
    return;
  }
  expect.fail(`does not throw ${code}`);
}
