import { atMost, durationOf, type FigureRow, type LimitShare, speedupOf, type Target } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import { CACHE_PASSES, L2_BYTES, type LimitKey } from './limits.ts';
import type { MicroContext } from './micro-context.ts';
import { measuredScan, nativeScans, PAGE_BYTES, type ScanVariant } from './scan-passes.ts';
import { seededRandom } from './seeded-random.ts';

const MIB = 2 ** 20;

/** Where the only byte of a page lies that is not zero. */
interface OddByte {
  readonly where: string;
  /** A scanner that looks at a few places first sees it there. */
  readonly probed: boolean;
  /** Its offset in a page, by a random number from 0 to 1. */
  offset(random: number): number;
}

const ODD_BYTES: readonly OddByte[] = [
  { where: 'in the first 64 bytes', probed: true, offset: (random) => Math.floor(random * 64) },
  { where: 'in the middle 64 bytes', probed: true, offset: (random) => PAGE_BYTES / 2 + Math.floor(random * 64) },
  { where: 'in the last 64 bytes', probed: true, offset: (random) => PAGE_BYTES - 1 - Math.floor(random * 64) },
  { where: 'anywhere else', probed: false, offset: elsewhere },
  { where: 'before the last 64 bytes', probed: false, offset: () => PAGE_BYTES - 65 },
];

function elsewhere(random: number): number {
  const offset = 64 + Math.floor(random * (PAGE_BYTES - 3 * 64));
  return offset < PAGE_BYTES / 2 ? offset : offset + 64;
}

/** Pages of which one byte is not zero, in nanoseconds a page, beside pages that must be read to their end. */
export async function nonZeroPages(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  const judged = nativeScans(isas).slice(0, 1);
  const avx2 = nativeScans(isas).filter(({ name }) => name === 'avx2' && name !== judged[0]?.name);
  const rows: FigureRow[] = [];
  for (const variant of [...judged, ...avx2]) {
    rows.push(
      ...(await measurePlaces(context, variant, {
        from: 'from cache',
        bytes: L2_BYTES,
        passes: CACHE_PASSES,
        reads: 'readL2',
        probed: atMost(3, 2.2),
      })),
    );
    const bytes = Math.floor(context.memory.bytes.length / 8 / (2 * MIB)) * 2 * MIB;
    rows.push(
      ...(await measurePlaces(context, variant, {
        from: 'from memory',
        bytes,
        passes: 1,
        reads: 'read',
        probed: atMost(15, 13),
        elsewhere: atMost(136),
      })),
    );
  }
  return rows;
}

interface Place {
  readonly from: string;
  readonly bytes: number;
  readonly passes: number;
  readonly reads: LimitKey;
  readonly probed: Target;
  readonly elsewhere?: Target;
}

/** No slower than a full read, by what two measurements of the same differ. */
const WITHIN = 1.05;

/** What a look at the first, the middle and the last 64 bytes reads. */
const PROBED_BYTES = 3 * 64;

async function measurePlaces(context: MicroContext, variant: ScanVariant, place: Place): Promise<FigureRow[]> {
  const { memory, plan, limits } = context;
  // Each lies in memory of its own, so that all take turns; the last part stays zero.
  const parts = [...ODD_BYTES, undefined].map((_, index) => memory.part(index * place.bytes, place.bytes));
  const random = seededRandom(1);
  for (const [index, { offset }] of ODD_BYTES.entries()) setInEachPage(parts[index], () => offset(random()));
  try {
    const measured = parts.map((part, index) => ({
      ...measuredScan(variant, part, index < ODD_BYTES.length ? 0 : part.length / PAGE_BYTES, place.passes),
      name: ODD_BYTES[index]?.where ?? 'none',
    }));
    const timings = await timeInterleaved(measured, plan);
    const zero = timings.at(-1);
    if (zero === undefined) return [];
    const of = { variant: variant.name, backend: variant.backend, unit: 'ns' };
    const pages = (place.passes * place.bytes) / PAGE_BYTES;
    const share = (readBytes: number, nanoseconds: number): LimitShare =>
      limits.shareOf(place.reads, readBytes / nanoseconds);
    const rows = ODD_BYTES.flatMap((oddByte, index): FigureRow[] => {
      const timing = timings[index] ?? zero;
      const spread = durationOf(timing, 'ns', pages);
      const name = `odd byte ${oddByte.where}, ${place.from}`;
      if (oddByte.probed) {
        return [{ name, ...of, spread, target: place.probed, limit: share(PROBED_BYTES, spread.median) }];
      }
      const limit = share(PAGE_BYTES, spread.median);
      const timesFullRead = speedupOf(zero, timing);
      return [
        { name, ...of, spread, limit, ...(place.elsewhere && { target: place.elsewhere }) },
        {
          name: `${name}, times a full read`,
          ...of,
          unit: '×',
          spread: timesFullRead,
          target: atMost(WITHIN, 1),
          limit,
        },
      ];
    });
    const zeroSpread = durationOf(zero, 'ns', pages);
    const limit = share(PAGE_BYTES, zeroSpread.median);
    return [...rows, { name: `zero page, ${place.from}`, ...of, spread: zeroSpread, limit }];
  } finally {
    for (const [index] of ODD_BYTES.entries()) parts[index]?.fill(0);
  }
}

function setInEachPage(bytes: Uint8Array | undefined, offset: () => number): void {
  if (bytes === undefined) return;
  for (let start = 0; start < bytes.length; start += PAGE_BYTES) bytes[start + offset()] = 1;
}
