import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { XbzrleEncoder, XbzrleEncoderOptions } from '../src/index.ts';
import { everyCodec } from './every-codec.ts';

const PAGE = 512;
const PAGE_COUNT = 24;
/** Page indexes far apart, up to the largest. */
const nameOf = (index: number): number => (index * 0x0123_4567) % 2 ** 32;

/** A step of a history: `send` may be what fast-check shrinks to. */
type Step =
  | { readonly kind: 'send' | 'sendAround' | 'rewrite'; readonly page: number }
  | { readonly kind: 'write'; readonly page: number; readonly at: number; readonly length: number }
  | { readonly kind: 'resize'; readonly pages: number };

const page = fc.nat(PAGE_COUNT - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send' as const), page }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rewrite' as const), page }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      page,
      at: fc.nat(PAGE - 1),
      length: fc.nat(PAGE),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sendAround' as const), page }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize' as const), pages: fc.integer({ min: 1, max: 40 }) }) },
);

const options: fc.Arbitrary<XbzrleEncoderOptions> = fc
  .record({
    pages: fc.integer({ min: 1, max: 40 }),
    deltaBytesMax: fc.option(fc.integer({ min: 1, max: PAGE - 1 }), { nil: undefined }),
    adaptive: fc.oneof(
      fc.boolean(),
      fc.record({
        tries: fc.integer({ min: 1, max: 8 }),
        pauseSendsMax: fc.integer({ min: 4, max: 20 }),
        payingBytesMax: fc.nat(PAGE),
      }),
    ),
  })
  .map(({ pages, deltaBytesMax, adaptive }) => ({
    pageSizeBytes: PAGE,
    cacheBytes: pages * (PAGE + 24),
    adaptive,
    ...(deltaBytesMax !== undefined && { deltaBytesMax }),
  }));

/** An encoder and what its receiver holds. */
class Link {
  readonly #encoder: XbzrleEncoder;
  readonly #decode: (delta: Uint8Array, page: Uint8Array) => void;
  readonly #copies = new Map<number, Uint8Array>();

  constructor({ codec }: (typeof everyCodec)[number], encoderOptions: XbzrleEncoderOptions) {
    this.#encoder = codec.createEncoder(encoderOptions);
    this.#decode = codec.decodePage;
  }

  /** Sends a page; returns what went over the wire. */
  send(index: number, content: Uint8Array): string {
    const out = new Uint8Array(PAGE);
    const { outcome, lengthBytes } = this.#encoder.encode(nameOf(index), content, out);
    const sent = out.subarray(0, lengthBytes);
    const copy = this.#copies.get(index) ?? new Uint8Array(PAGE).fill(0xee);
    if (outcome === 'raw') copy.set(sent);
    if (outcome === 'delta') this.#decode(sent, copy);
    this.#copies.set(index, copy);
    if (Buffer.compare(copy, content) !== 0) expect.fail(`the receiver's page differs after ${outcome}`);
    return `${outcome} ${Buffer.from(sent).toString('base64')}`;
  }

  sendAround(index: number, content: Uint8Array): void {
    this.#encoder.forget(nameOf(index));
    this.#copies.set(index, content.slice());
  }

  resize(pages: number): void {
    this.#encoder.resize(pages * (PAGE + 24));
  }

  end(): object {
    const statistics = this.#encoder.statistics();
    this.#encoder.close();
    return statistics;
  }
}

/** Changes every byte, each by another amount. */
function rewrite(content: Uint8Array): void {
  for (let at = 0; at < content.length; at++) content[at] = (content[at] ?? 0) + 1 + (at % 50);
}

function play(encoderOptions: XbzrleEncoderOptions, steps: readonly Step[]): void {
  const links = everyCodec.map((codec) => new Link(codec, encoderOptions));
  const contents = Array.from({ length: PAGE_COUNT }, () => new Uint8Array(PAGE));
  let version = 0;
  for (const action of steps) {
    if (action.kind === 'resize') {
      for (const link of links) link.resize(action.pages);
      continue;
    }
    const content = contents[action.page] ?? expect.fail();
    version++;
    if (action.kind === 'write') content.fill(version, action.at, action.at + action.length);
    else if (action.kind === 'rewrite') rewrite(content);
    else if (action.kind === 'sendAround') for (const link of links) link.sendAround(action.page, content);
    else {
      const [first, ...others] = links.map((link) => link.send(action.page, content));
      for (const other of others) expect(other).toBe(first);
    }
  }
  const [first, ...others] = links.map((link) => link.end());
  for (const other of others) expect(other).toEqual(first);
}

describe('encoders of every kind', () => {
  it('keep the receiver equal, and choose the same, over any history', () => {
    fc.assert(fc.property(options, fc.array(step, { maxLength: 300, size: 'max' }), play), { numRuns: 150 });
  });
});

describe.each(everyCodec)('the adaptive mode of $name', ({ codec }) => {
  it('stops trying pages that are rewritten, and returns when they calm down', () => {
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20, adaptive: true });
    const content = new Uint8Array(PAGE);
    const out = new Uint8Array(PAGE);
    const outcomes: string[] = [];
    for (let send = 0; send < 1000; send++) {
      rewrite(content);
      outcomes.push(encoder.encode(1, content, out).outcome);
    }
    expect(outcomes.every((outcome) => outcome === 'raw')).toBe(true);
    const { skippedPages, overflowPages } = encoder.statistics();
    expect(skippedPages).toBeGreaterThan(970);
    expect(overflowPages).toBeLessThan(12);
    for (let send = 0; send < 300; send++) {
      content[send] = ~(content[send] ?? 0);
      encoder.encode(1, content, out);
    }
    expect(encoder.statistics().deltaPages).toBeGreaterThan(40);
    encoder.close();
  });

  it('takes no more memory than it may', () => {
    const cacheBytes = 2 ** 20;
    const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes, adaptive: true });
    expect(encoder.statistics().cacheSizeBytes).toBe(Math.floor(cacheBytes / (PAGE + 24) / 8) * 8 * (PAGE + 24));
    encoder.resize(100 * (PAGE + 24));
    expect(encoder.statistics().cacheSizeBytes).toBe(96 * (PAGE + 24));
    encoder.close();
  });

  it('never skips where it is off, or where deltas pay', () => {
    for (const adaptive of [false, true]) {
      const encoder = codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20, adaptive });
      const content = new Uint8Array(PAGE);
      for (let send = 0; send < 200; send++) {
        if (adaptive) content[send] = 1;
        else content.fill(send);
        encoder.encode(1, content, new Uint8Array(PAGE));
      }
      expect(encoder.statistics().skippedPages).toBe(0);
      encoder.close();
    }
  });

  it('refuses numbers out of range', () => {
    const wrong = [{ tries: 0 }, { tries: 9 }, { pauseSendsMax: 3 }, { pauseSendsMax: 4096 }, { payingBytesMax: -1 }];
    for (const adaptive of [...wrong, { tries: 1.5 }, { payingBytesMax: PAGE + 1 }]) {
      expect(() => codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20, adaptive })).toThrow(RangeError);
    }
    for (const deltaBytesMax of [0, PAGE, 1.5, Number.NaN]) {
      expect(() => codec.createEncoder({ pageSizeBytes: PAGE, cacheBytes: 2 ** 20, deltaBytesMax })).toThrow(
        RangeError,
      );
    }
  });
});
