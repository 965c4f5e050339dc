import { describe, expect, it } from 'vitest';
import { everyCodec, nativeCodecs, typescriptCodec } from './every-codec.ts';
import { randomFrom } from './seeded-random.ts';

/** How many pages of each size are encoded, most of them small: it is the pages that count, not the bytes. */
const PAGES = new Map([
  [512, 800_000],
  [1024, 120_000],
  [2048, 50_000],
  [4096, 30_000],
  [8192, 4000],
  [16384, 1000],
  [65536, 128],
]);
const BATCH_BYTES = 2 ** 20;

type Random = (limit: number) => number;

/** The ways in which the pages of a batch change, chosen at random for each page. */
const CHANGES: readonly ((page: Uint8Array, random: Random) => void)[] = [
  () => {},
  (page, random) => change(page, random(page.length), 1),
  (page, random) => change(page, random(page.length / 8) * 8, 8),
  (page, random) => {
    for (let left = 1 + random(12); left > 0; left--) change(page, random(page.length), 1);
  },
  (page, random) => {
    for (let left = 1 + random(3); left > 0; left--) change(page, random(page.length), random(300));
  },
  (page, random) => {
    for (let at = random(64); at < page.length; at += 1 + random(64)) change(page, at, 1);
  },
  (page, random) => change(page, random(4), page.length - random(8)),
];

function change(page: Uint8Array, from: number, length: number): void {
  const end = Math.min(from + length, page.length);
  for (let at = from; at < end; at++) page[at] = (page[at] ?? 0) + 1 + (at % 7);
}

describe.runIf(nativeCodecs.length > 0)('native and TypeScript, over a million pages', () => {
  it('write the same deltas, of which each makes the same page', () => {
    const random = randomFrom(0x5eed);
    const counts = { unchanged: 0, delta: 0, overflow: 0 };
    for (const [pageSizeBytes, wanted] of PAGES) {
      const pageCount = BATCH_BYTES / pageSizeBytes;
      for (let done = 0; done < wanted; done += pageCount) compareBatch(pageSizeBytes, random, counts);
    }
    const total = counts.unchanged + counts.delta + counts.overflow;
    expect(total).toBeGreaterThanOrEqual(1_000_000);
    expect(Math.min(counts.unchanged, counts.delta, counts.overflow)).toBeGreaterThan(50_000);
    const names = everyCodec.map(({ name }) => name).join(', ');
    console.info(`${total} pages compared between ${names}: ${JSON.stringify(counts)}`);
  }, 120_000);
});

const current = new Uint8Array(BATCH_BYTES);
const [old, copy] = [current.slice(), current.slice()];

function compareBatch(pageSizeBytes: number, random: Random, counts: Record<string, number>): void {
  for (let at = 0; at < BATCH_BYTES; at += pageSizeBytes) {
    CHANGES[random(CHANGES.length)]?.(current.subarray(at, at + pageSizeBytes), random);
  }
  // Now and then the output is short, so that deltas are refused for want of room too.
  const intoBytes = random(8) === 0 ? random(BATCH_BYTES) : 2 * BATCH_BYTES;
  const deltaBytesMax = random(3) === 0 ? 1 + random(pageSizeBytes - 1) : pageSizeBytes - 1;
  const outcomes = everyCodec.map(({ name, codec }) => {
    const lengthsBytes = new Int32Array(BATCH_BYTES / pageSizeBytes);
    const into = new Uint8Array(intoBytes);
    const used = codec.encodePages({ old, current, pageSizeBytes, into, lengthsBytes, deltaBytesMax });
    return { name, codec, lengthsBytes, deltas: into.subarray(0, used) };
  });
  const expected = outcomes.find(({ name }) => name === typescriptCodec.name) ?? expect.fail();
  for (const length of expected.lengthsBytes) {
    const outcome = length > 0 ? 'delta' : length === 0 ? 'unchanged' : 'overflow';
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  for (const { name, codec, lengthsBytes, deltas } of outcomes) {
    if (Buffer.compare(deltas, expected.deltas) !== 0) expect.fail(`${name}: other deltas, ${pageSizeBytes}`);
    if (lengthsBytes.some((length, entry) => length !== expected.lengthsBytes[entry])) expect.fail(`${name}: lengths`);
    copy.set(old);
    codec.decodePages({ deltas, lengthsBytes, memory: copy, pageSizeBytes });
    for (const [entry, length] of lengthsBytes.entries()) {
      const at = entry * pageSizeBytes;
      if (length < 0) copy.set(current.subarray(at, at + pageSizeBytes), at);
    }
    if (Buffer.compare(copy, current) !== 0) expect.fail(`${name}: other pages, ${pageSizeBytes}`);
  }
  old.set(current);
}
