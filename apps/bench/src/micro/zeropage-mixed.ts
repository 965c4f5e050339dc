import { formatBytes } from '../quantities.ts';
import { atLeast, durationOf, type FigureRow, rateOf, speedupOf } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import type { MicroContext } from './micro-context.ts';
import { realPages } from './process-pages.ts';
import { measuredScan, nativeScans, PAGE_BYTES, portableScans } from './scan-passes.ts';
import { seededRandom } from './seeded-random.ts';

const MIB = 2 ** 20;
const ZERO_SHARE = 0.3;

/** Memory as guests have it: 30 % of the pages zero, the others as real memory holds them. */
export async function mixedPages(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  const { limits, longPlan, memory } = context;
  const bytes = memory.part(0, Math.min(256 * MIB, memory.bytes.length));
  const { zeroPages, source } = fillMixed(bytes);
  try {
    const variants = [...nativeScans(isas), ...portableScans()];
    const timings = await timeInterleaved(
      variants.map((variant) => measuredScan(variant, bytes, zeroPages)),
      longPlan,
    );
    const name = `mixed pages, ${formatBytes(bytes.length)} (30 % zero, the rest of ${source})`;
    const baseline = timings.find((timing) => timing.name === 'Buffer.compare a page');
    return timings.flatMap((timing, index): FigureRow[] => {
      const of = { variant: timing.name, backend: variants[index]?.backend ?? 'native' };
      const spread = durationOf(timing, 'ns', bytes.length / PAGE_BYTES);
      // What must be read at least: the zero pages, and of each other page one line.
      const leastBytes = zeroPages * PAGE_BYTES + (bytes.length / PAGE_BYTES - zeroPages) * 64;
      const limit = limits.shareOf('read', rateOf(timing, leastBytes).median);
      const row: FigureRow = { name, ...of, unit: 'ns a page', spread, limit };
      if (baseline === undefined || of.backend !== 'native') return [row];
      const speedup = speedupOf(timing, baseline);
      const target = index === 0 ? { target: atLeast(3, 6) } : {};
      return [row, { name: 'mixed pages, times Buffer.compare', ...of, unit: '×', spread: speedup, limit, ...target }];
    });
  } finally {
    bytes.fill(0);
  }
}

function fillMixed(bytes: Uint8Array): { readonly zeroPages: number; readonly source: string } {
  const random = seededRandom(1);
  const { bytes: real, source } = realPages(bytes.length / PAGE_BYTES);
  let zeroPages = 0;
  let next = 0;
  for (let start = 0; start < bytes.length; start += PAGE_BYTES) {
    if (random() < ZERO_SHARE) {
      zeroPages += 1;
      continue;
    }
    bytes.set(real.subarray(next, next + PAGE_BYTES), start);
    next = (next + PAGE_BYTES) % real.length;
  }
  return { zeroPages, source };
}
