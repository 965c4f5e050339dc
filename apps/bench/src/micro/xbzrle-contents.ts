import { randomFillSync } from 'node:crypto';
import { atLeast, type Target } from './figure-row.ts';
import { seededRandom } from './seeded-random.ts';

const PAGE_BYTES = 4096;

/** What happened to a page since it was last sent, and what an encoder and a decoder are held to, in GB/s of page bytes. */
export interface Change {
  readonly name: string;
  /** Pages enough that no branch predictor knows them by heart, where that matters; few enough for the first cache else. */
  readonly pageCount: number;
  readonly encode: { readonly avx512: Target; readonly avx2: Target };
  readonly decode?: Target;
  /** To be encoded from memory at this share of the streaming read rate over both pages, in percent. */
  readonly fromMemory?: Target;
  /** In TypeScript. */
  readonly typescript?: Target;
  /** A delta of it does not pay. */
  readonly refused?: boolean;
  /** A longer delta does not pay; default: one that is no shorter than the page. */
  readonly deltaBytesMax?: number;
  /** Changes one page. */
  apply(page: Uint8Array, random: () => number): void;
}

const FROM_MEMORY = atLeast(80);

/** The rows of the codec's table. */
export const CHANGES: readonly Change[] = [
  {
    name: 'unchanged',
    pageCount: 4,
    encode: { avx512: atLeast(42, 60), avx2: atLeast(30, 60) },
    fromMemory: FROM_MEMORY,
    apply() {},
  },
  {
    name: 'one word',
    pageCount: 4,
    encode: { avx512: atLeast(36, 50), avx2: atLeast(25, 50) },
    typescript: atLeast(0.5, 1),
    fromMemory: FROM_MEMORY,
    apply: (page, random) => flip(page, 8 * Math.floor(random() * (PAGE_BYTES / 8)), 8),
  },
  {
    name: 'ten words, 64 bytes apart',
    pageCount: 4,
    encode: { avx512: atLeast(16, 25), avx2: atLeast(12, 25) },
    decode: atLeast(66, 100),
    fromMemory: FROM_MEMORY,
    apply(page, random) {
      const first = 64 * Math.floor(random() * (PAGE_BYTES / 64 - 10)) + 8 * Math.floor(random() * 8);
      for (let word = 0; word < 10; word += 1) flip(page, first + 64 * word, 8);
    },
  },
  {
    name: 'sixteen runs of 64 bytes',
    pageCount: 4,
    encode: { avx512: atLeast(23, 35), avx2: atLeast(16, 35) },
    decode: atLeast(48, 60),
    apply(page) {
      for (let run = 0; run < 16; run += 1) flip(page, 256 * run + 64, 64);
    },
  },
  {
    name: '5 % of bytes at random',
    pageCount: 64,
    encode: { avx512: atLeast(2.5, 4), avx2: atLeast(1.5, 4) },
    decode: atLeast(3.5, 6),
    apply(page, random) {
      for (let at = 0; at < PAGE_BYTES; at += 1) if (random() < 0.05) flip(page, at, 1);
    },
  },
  {
    name: 'every byte (refused early)',
    pageCount: 4,
    encode: { avx512: atLeast(40, 100), avx2: atLeast(30, 100) },
    refused: true,
    apply: (page) => flip(page, 0, PAGE_BYTES),
  },
  {
    name: 'every byte, deltas of 3/4 page at most',
    pageCount: 4,
    encode: { avx512: atLeast(40, 100), avx2: atLeast(30, 100) },
    refused: true,
    deltaBytesMax: (3 / 4) * PAGE_BYTES,
    apply: (page) => flip(page, 0, PAGE_BYTES),
  },
];

/** Pages of random bytes, the same pages after a change, and from which length on a delta of theirs does not pay. */
export interface ChangedPages {
  readonly old: Uint8Array;
  readonly current: Uint8Array;
  readonly deltaBytesMax?: number | undefined;
}

/** Fills two memories of the same length: the second is the first after the change. Seeded where it decides the shape. */
export function changePages({ apply, deltaBytesMax }: Change, old: Uint8Array, current: Uint8Array): ChangedPages {
  const random = seededRandom(1);
  fillRandom(old);
  current.set(old);
  for (let start = 0; start < current.length; start += PAGE_BYTES) {
    apply(current.subarray(start, start + PAGE_BYTES), random);
  }
  return { old, current, deltaBytesMax };
}

/** Repeated over a larger memory: a page is compared with its own past only. */
const RANDOM_BYTES = 2 ** 20;

function fillRandom(bytes: Uint8Array): void {
  const random = randomFillSync(new Uint8Array(Math.min(bytes.length, RANDOM_BYTES)));
  for (let start = 0; start < bytes.length; start += random.length) bytes.set(random, start);
}

/** Changes every one of the bytes. */
function flip(page: Uint8Array, start: number, length: number): void {
  for (let at = start; at < start + length; at += 1) page[at] = ~(page[at] ?? 0);
}
