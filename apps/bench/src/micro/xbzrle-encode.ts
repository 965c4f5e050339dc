import { deflateRawSync } from 'node:zlib';
import { type FigureRow, percent, type RowBackend, rateOf, speedupOf, type Target } from './figure-row.ts';
import { type Measured, timeInterleaved } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { type Batch, batchOf, type CodecVariant, checkBatch, encodeBatch, PAGE_BYTES } from './xbzrle-codecs.ts';
import { CHANGES, type Change, type ChangedPages, changePages } from './xbzrle-contents.ts';

/** Of a call's deltas: they stay in the second level of cache, beside the pages. */
const DELTA_BYTES_MAX = 512 * 1024;
const BATCH_PAGES_MAX = 4096;
const BATCH_PAGES_MIN = 64;

/** How many pages a batch has whose deltas take `deltaBytes` each. */
export function batchPages(deltaBytes: number): number {
  const pages = Math.floor(DELTA_BYTES_MAX / Math.max(1, deltaBytes));
  return Math.max(BATCH_PAGES_MIN, Math.min(BATCH_PAGES_MAX, pages));
}

/** The pages of a change in little memory, small enough for a cache. */
export function pagesInCache(change: Change): ChangedPages {
  const bytes = change.pageCount * PAGE_BYTES;
  return changePages(change, new Uint8Array(bytes), new Uint8Array(bytes));
}

/** Encoding out of a cache: every instruction set, TypeScript, and zlib beside them. */
export async function encodeInCache(
  context: MicroContext,
  natives: readonly CodecVariant[],
  typescript: CodecVariant,
): Promise<FigureRow[]> {
  const rows: FigureRow[] = [];
  for (const change of CHANGES) {
    const pages = pagesInCache(change);
    const variants = [...natives, typescript];
    const single = batchOf(pages, change.pageCount);
    for (const variant of variants) checkOutcome(variant, single, change);
    const count = batchPages(encodeBatch(typescript, single) / change.pageCount);
    const batches = variants.map(() => batchOf(pages, count));
    const measured = variants.map((variant, index): Measured => {
      const batch = batches[index] ?? single;
      return { name: variant.name, run: () => void encodeBatch(variant, batch) };
    });
    const deflaters = deflates(pages);
    const timings = await timeInterleaved([...measured, ...deflaters], context.plan);
    const name = `encode, ${change.name}`;
    // Two pages are read for each that is encoded; 64 pairs are more than the first level of cache holds.
    const limit = 2 * change.pageCount * PAGE_BYTES > 48 * 1024 ? 'readL2' : 'readL1';
    for (const [index, timing] of timings.entries()) {
      const backend: RowBackend = variants[index]?.backend ?? 'node';
      const spread = rateOf(timing, index < variants.length ? count * PAGE_BYTES : PAGE_BYTES);
      const target = targetOf(change, timing.name);
      rows.push({
        name,
        variant: timing.name,
        backend,
        unit: 'GB/s',
        spread,
        limit: context.limits.shareOf(limit, 2 * spread.median),
        ...(target && { target }),
      });
    }
  }
  return rows;
}

function targetOf({ encode, typescript }: Change, variant: string): Target | undefined {
  if (variant === 'avx512' || variant === 'avx2') return encode[variant];
  return variant === 'typescript' ? typescript : undefined;
}

function checkOutcome(variant: CodecVariant, batch: Batch, change: Change): void {
  encodeBatch(variant, batch);
  const expected = change.name === 'unchanged' ? 0 : change.refused === true ? -1 : undefined;
  if (expected === undefined) checkBatch(variant, batch, change.name);
  else {
    const right = batch.lengthsBytes.every((length) => length === expected);
    check(right, `${variant.name}, ${change.name}: a length of ${batch.lengthsBytes[0]} and not ${expected}`);
  }
}

/** What one would take without XBZRLE: zlib over the page, and over what changed in it. */
function deflates({ old, current }: ChangedPages): readonly Measured[] {
  const pages = current.length / PAGE_BYTES;
  const xor = Buffer.alloc(PAGE_BYTES);
  const words = new BigUint64Array(xor.buffer, xor.byteOffset, PAGE_BYTES / 8);
  let next = 0;
  const start = (): number => {
    next = (next + 1) % pages;
    return next * PAGE_BYTES;
  };
  return [
    {
      name: 'zlib level 1 of the page',
      run() {
        const at = start();
        deflateRawSync(current.subarray(at, at + PAGE_BYTES), { level: 1 });
      },
    },
    {
      name: 'zlib level 1 of the xor',
      run() {
        const at = start();
        const before = new BigUint64Array(old.buffer, old.byteOffset + at, words.length);
        const after = new BigUint64Array(current.buffer, current.byteOffset + at, words.length);
        for (let word = 0; word < words.length; word += 1) words[word] = (before[word] ?? 0n) ^ (after[word] ?? 0n);
        deflateRawSync(xor, { level: 1 });
      },
    },
  ];
}

/** Encoding out of memory, beside a bare read of the same pages. */
export async function encodeFromMemory(context: MicroContext, natives: readonly CodecVariant[]): Promise<FigureRow[]> {
  const { addon, limits, longPlan, memory } = context;
  const bytes = memory.bytes.length / 4;
  const loop = limits.loopOf('read');
  const both = memory.part(0, 2 * bytes);
  const rows: FigureRow[] = [];
  for (const change of CHANGES.filter(({ fromMemory }) => fromMemory !== undefined)) {
    const pages = changePages(change, memory.part(0, bytes), memory.part(bytes, bytes));
    const batches = chunks(pages);
    const bare = { name: 'bare read', run: () => void addon.read(both, loop, 1, 1) };
    const measured = natives.map((variant): Measured => {
      const [first] = batches;
      if (first !== undefined && change.name !== 'unchanged') checkBatch(variant, first, change.name);
      return {
        name: variant.name,
        run() {
          for (const batch of batches) encodeBatch(variant, batch);
        },
      };
    });
    const [bareTiming, ...timings] = await timeInterleaved([bare, ...measured], longPlan);
    const name = `encode from memory, ${change.name}`;
    for (const [index, timing] of timings.entries()) {
      const of = { variant: timing.name, backend: 'native' } as const;
      const spread = rateOf(timing, bytes);
      const limit = limits.shareOf('read', 2 * spread.median);
      rows.push({ name, ...of, unit: 'GB/s', spread, limit });
      if (bareTiming === undefined) continue;
      const share = percent(speedupOf(timing, bareTiming));
      const target = index === 0 || timing.name === 'avx2' ? change.fromMemory : undefined;
      const shareName = `${name}, of a bare read`;
      rows.push({ name: shareName, ...of, unit: '%', spread: share, limit, ...(target && { target }) });
    }
  }
  memory.bytes.fill(0);
  return rows;
}

/** Batches over neighbouring pages, with one output for all. */
function chunks({ old, current }: ChangedPages): readonly Batch[] {
  const chunkBytes = BATCH_PAGES_MAX * PAGE_BYTES;
  const shared = batchOf(
    { old: old.subarray(0, chunkBytes), current: current.subarray(0, chunkBytes) },
    BATCH_PAGES_MAX,
  );
  return Array.from({ length: old.length / chunkBytes }, (_, index) => ({
    ...shared,
    old: old.subarray(index * chunkBytes, (index + 1) * chunkBytes),
    current: current.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  }));
}
