import { PagemapScanTracker, SoftwareMarksTracker } from '@godwit/dirty-tracker';
import { PageSet } from '@godwit/page-set';
import { formatBytes, formatCount } from '../quantities.ts';
import { orderRows } from './dirty-order.ts';
import { atMost, durationOf, type FigureRow, speedupOf } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { seededRandom } from './seeded-random.ts';

const GIB = 2 ** 30;
const MEMORY_BYTES = 8 * GIB;
const RESIDENT_BYTES = GIB;
const DIRTY_PAGES = 10_000;

/** `@godwit/dirty-tracker`: fetching dirty pages from the kernel and from marks, and learning an order from them. */
export async function dirtyBenchmark(context: MicroContext): Promise<FigureRow[]> {
  return [
    // The tracker has a thread of its own.
    ...(await context.thread.everywhere(() => collectFromKernel(context))),
    ...(await collectMarks(context)),
    ...(await orderRows(context)),
  ];
}

async function collectFromKernel(context: MicroContext): Promise<FigureRow[]> {
  const { arenaAvailability, createArenaGuest } = await import('@godwit/guest-arena');
  const { available, reason } = arenaAvailability();
  if (!available) {
    context.notMeasured(`dirty: collecting by PAGEMAP_SCAN: ${reason}`);
    return [];
  }
  const { addon, plan } = context;
  await using guest = await createArenaGuest({ memoryBytes: MEMORY_BYTES, residentBytes: RESIDENT_BYTES });
  const { memory } = guest;
  if (memory.capsule === undefined) throw new Error('an arena guest offers its memory as a capsule');
  const capsule = memory.capsule;
  const resident = PageSet.empty(memory.pageCount);
  await memory.present(resident);
  const pages = scatteredPages(resident, DIRTY_PAGES);
  const expected = PageSet.fromPages(memory.pageCount, pages);
  const tracker = new PagemapScanTracker(capsule);
  await tracker.start();
  const into = PageSet.empty(memory.pageCount);
  await tracker.collect(into);
  // A fetch takes all that was written, so each variant's pages are written anew before it.
  const prepare = (): void => addon.touchPages(capsule, pages);
  try {
    const [collected, walked] = await timeInterleaved(
      [
        {
          name: tracker.name,
          prepare() {
            prepare();
            into.clear();
          },
          async run() {
            const count = await tracker.collect(into);
            check(count === DIRTY_PAGES, `${count} pages were collected where ${DIRTY_PAGES} were written`);
          },
        },
        {
          name: 'the call alone',
          prepare,
          run() {
            const count = addon.fetchWrittenPages(capsule);
            check(count === DIRTY_PAGES, `the kernel reports ${count} pages where ${DIRTY_PAGES} were written`);
          },
        },
      ],
      plan,
    );
    if (collected === undefined || walked === undefined) return [];
    prepare();
    into.clear();
    await tracker.collect(into);
    check(into.equals(expected), 'the collected pages are not the written ones');
    const name =
      `collect ${formatCount(DIRTY_PAGES)} scattered dirty pages of ${formatBytes(RESIDENT_BYTES)} resident ` +
      `in ${formatBytes(MEMORY_BYTES)}`;
    const limit = { name: "the kernel's PAGEMAP_SCAN alone", share: speedupOf(collected, walked).median };
    const spread = durationOf(collected, 'ms');
    return [
      { name, variant: tracker.name, backend: tracker.backend, unit: 'ms', spread, target: atMost(10, 4), limit },
      { name, variant: 'PAGEMAP_SCAN alone', backend: 'native', unit: 'ms', spread: durationOf(walked, 'ms') },
    ];
  } finally {
    await tracker.close();
  }
}

/** Marks that writers set themselves, over as much memory. */
async function collectMarks({ plan, limits }: MicroContext): Promise<FigureRow[]> {
  const pageCount = MEMORY_BYTES / 4096;
  const marks = new Uint32Array(new SharedArrayBuffer(pageCount / 8));
  const pages = scatteredPages(PageSet.full(pageCount), DIRTY_PAGES);
  const tracker = new SoftwareMarksTracker({ pageCount, words: marks });
  await tracker.start();
  const into = PageSet.empty(pageCount);
  const [timing] = await timeInterleaved(
    [
      {
        name: tracker.name,
        prepare() {
          into.clear();
          for (const page of pages) marks[page >>> 5] = (marks[page >>> 5] ?? 0) | (1 << (page & 31));
        },
        async run() {
          const count = await tracker.collect(into);
          check(count === DIRTY_PAGES, `${count} marks were collected where ${DIRTY_PAGES} were set`);
        },
      },
    ],
    plan,
  );
  await tracker.close();
  if (timing === undefined) return [];
  const spread = durationOf(timing, 'ms');
  return [
    {
      name: `collect ${formatCount(DIRTY_PAGES)} scattered marks of ${formatBytes(MEMORY_BYTES)}`,
      variant: tracker.name,
      backend: tracker.backend,
      unit: 'ms',
      spread,
      limit: limits.shareOf('readL2', marks.byteLength / (spread.median * 1e6)),
    },
  ];
}

/** `count` different pages of a set, the same each time, in no order. */
export function scatteredPages(set: PageSet, count: number): Uint32Array {
  const pages = Uint32Array.from(set.pages());
  const random = seededRandom(1);
  for (let index = 0; index < count; index += 1) {
    const other = index + Math.floor(random() * (pages.length - index));
    [pages[index], pages[other]] = [pages[other] ?? 0, pages[index] ?? 0];
  }
  return pages.slice(0, count);
}
