import { formatBytes } from '../quantities.ts';
import { atLeast, type FigureRow, percent, rateOf, speedupOf } from './figure-row.ts';
import { type Timing, timeInterleaved } from './interleaved-timing.ts';
import { CACHE_PASSES, L2_BYTES, type LimitKey, streamBytes } from './limits.ts';
import type { MicroContext } from './micro-context.ts';
import { measuredScan, nativeScans, PAGE_BYTES, portableScans, type ScanVariant } from './scan-passes.ts';

const MIB = 2 ** 20;

/** Pages that are all zero, which must be read to their end: from memory and from the second level of cache. */
export async function zeroPages(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  return [...(await fromMemory(context, isas)), ...(await fromCache(context, isas))];
}

async function fromMemory(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  const { addon, limits, longPlan, memory } = context;
  const bytes = memory.part(0, streamBytes(memory));
  const name = `zero pages from memory, ${formatBytes(bytes.length)}`;
  const loop = limits.loopOf('read');
  const bare = { name: 'bare read', run: () => void addon.read(bytes, loop, 1, 1) };
  const native = nativeScans(isas);
  const scans = native.map((variant) => measuredScan(variant, bytes, bytes.length / PAGE_BYTES));
  const [bareTiming, ...timings] = await timeInterleaved([bare, ...scans], longPlan);
  if (bareTiming === undefined) return [];
  const rows: FigureRow[] = [];
  for (const [index, timing] of timings.entries()) {
    rows.push(rateRow(context, name, native[index], timing, bytes.length, 'read'));
    const spread = percent(speedupOf(timing, bareTiming));
    const isFast = index === 0 || timing.name === 'avx2';
    rows.push({
      name: 'zero pages from memory, of a bare read',
      variant: timing.name,
      backend: 'native',
      unit: '%',
      spread,
      limit: { name: `read ${formatBytes(bytes.length)}`, share: spread.median / 100 },
      ...(isFast && { target: atLeast(90, 98) }),
    });
  }
  return [...rows, ...(await portableFromMemory(context))];
}

/** Over less memory, as these take long; still far more than any cache holds. */
async function portableFromMemory(context: MicroContext): Promise<FigureRow[]> {
  const bytes = context.memory.part(0, Math.min(128 * MIB, streamBytes(context.memory)));
  const variants = portableScans();
  const scans = variants.map((variant) => measuredScan(variant, bytes, bytes.length / PAGE_BYTES));
  const timings = await timeInterleaved(scans, context.longPlan);
  const name = `zero pages from memory, ${formatBytes(bytes.length)}`;
  return timings.map((timing, index) => rateRow(context, name, variants[index], timing, bytes.length, 'read'));
}

async function fromCache(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  const { addon, memory, plan } = context;
  const bytes = memory.part(0, L2_BYTES);
  const workBytes = CACHE_PASSES * L2_BYTES;
  const name = `zero pages in cache, ${formatBytes(L2_BYTES)}`;
  const variants = [...nativeScans(isas), ...portableScans()];
  const scans = variants.map((variant) => measuredScan(variant, bytes, L2_BYTES / PAGE_BYTES, CACHE_PASSES));
  const loops = addon.readLoops().filter((loop) => isas.includes(loop));
  const bare = loops.map((loop) => ({
    name: `bare ${loop}`,
    run: () => void addon.read(bytes, loop, CACHE_PASSES, 1),
  }));
  const timings = new Map((await timeInterleaved([...scans, ...bare], plan)).map((timing) => [timing.name, timing]));
  const rows: FigureRow[] = [];
  for (const variant of variants) {
    const timing = timings.get(variant.name);
    if (timing !== undefined) rows.push(rateRow(context, name, variant, timing, workBytes, 'readL2'));
  }
  for (const loop of loops) {
    const [ours, bareLoop] = [timings.get(loop), timings.get(`bare ${loop}`)];
    if (ours === undefined || bareLoop === undefined) continue;
    const spread = percent(speedupOf(ours, bareLoop));
    rows.push({
      name: 'zero pages in cache, of a bare load loop',
      variant: loop,
      backend: 'native',
      unit: '%',
      spread,
      limit: { name: `bare ${loop} loop, ${formatBytes(L2_BYTES)}`, share: spread.median / 100 },
      ...(loop === 'avx2' && { target: atLeast(95, 99) }),
    });
  }
  return [...rows, ...widthRows(timings)];
}

/** One width against another, which is what the paper claims about AVX2. */
function widthRows(timings: ReadonlyMap<string, Timing>): FigureRow[] {
  const pairs = [
    ['avx2', 'sse2', atLeast(1.05, 1.1)],
    ['avx512', 'avx2', atLeast(0.95)],
  ] as const;
  return pairs.flatMap(([one, other, target]) => {
    const [ours, theirs] = [timings.get(one), timings.get(other)];
    if (ours === undefined || theirs === undefined) return [];
    const spread = speedupOf(ours, theirs);
    return [
      { name: `zero pages in cache, times ${other}`, variant: one, backend: 'native', unit: '×', spread, target },
    ];
  });
}

function rateRow(
  { limits }: MicroContext,
  name: string,
  variant: ScanVariant | undefined,
  timing: Timing,
  bytes: number,
  limit: LimitKey,
): FigureRow {
  const spread = rateOf(timing, bytes);
  return {
    name,
    variant: timing.name,
    backend: variant?.backend ?? 'native',
    unit: 'GB/s',
    spread,
    limit: limits.shareOf(limit, spread.median),
  };
}
