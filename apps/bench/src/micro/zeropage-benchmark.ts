import { PageSet } from '@godwit/page-set';
import type { ScanStatistics } from '@godwit/ports';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { formatBytes } from '../quantities.ts';
import { translated } from './bench-native.ts';
import { atLeast, atMost, durationOf, type FigureRow, rateOf, speedupOf } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { timeOperation } from './operation-timing.ts';
import { compareScan } from './plain-scan.ts';
import { nativeScans, PAGE_BYTES, scannerIsas } from './scan-passes.ts';
import { mixedPages } from './zeropage-mixed.ts';
import { nonZeroPages } from './zeropage-nonzero.ts';
import { zeroPages } from './zeropage-zero.ts';

const GIB = 2 ** 30;
const UNTOUCHED_BYTES = 8 * GIB;

/** `@godwit/zeropage-simd`: zero pages, pages that are not, both together, memory nobody touched, threads, single calls. */
export async function zeropageBenchmark(context: MicroContext): Promise<FigureRow[]> {
  const isas = scannerIsas(context);
  if (isas.length === 0) {
    context.notMeasured('zeropage: the scanner has no kernel of the instruction sets asked for');
    return [];
  }
  return [
    ...(await zeroPages(context, isas)),
    ...(await nonZeroPages(context, isas)),
    ...(await mixedPages(context, isas)),
    ...(await untouchedMapping(context)),
    ...(await twoThreads(context)),
    ...(await singlePages(context, isas)),
  ];
}

/** A mapping that nobody has touched: its page tables say so, and no page of it is read or populated. */
async function untouchedMapping(context: MicroContext): Promise<FigureRow[]> {
  const { addon, plan } = context;
  if (process.platform !== 'linux') {
    context.notMeasured('zeropage: an untouched mapping, as only Linux shows page tables');
    return [];
  }
  const memory = translated(() => new addon.BenchMemory(UNTOUCHED_BYTES, false));
  const capsule = memory.createCapsule();
  const into = PageSet.empty(UNTOUCHED_BYTES / PAGE_BYTES);
  const scanner = createZeroPageScanner({ backend: 'native' });
  let statistics: ScanStatistics | undefined;
  const onStatistics = (told: ScanStatistics): void => {
    statistics = told;
  };
  const scan = {
    name: scanner.name,
    run: () => void scanner.scan({ capsule }, PAGE_BYTES, into, { onStatistics }),
  };
  const walk = { name: 'a bare walk', run: () => void addon.presentPages(capsule) };
  const [timing, bare] = await timeInterleaved([scan, walk], plan);
  check(into.count() === into.pageCount, `${into.count()} of ${into.pageCount} untouched pages are zero`);
  check(memory.residentBytes() === 0, `${memory.residentBytes()} bytes of an untouched mapping were populated`);
  if (timing === undefined || bare === undefined) return [];
  const limit = { name: "the kernel's walk alone", share: speedupOf(timing, bare).median };
  return [
    {
      name: `untouched mapping, ${formatBytes(UNTOUCHED_BYTES)}`,
      variant: `by ${statistics?.untouchedBy}`,
      backend: 'native',
      unit: 'ms',
      spread: durationOf(timing, 'ms'),
      target: atMost(5, 1),
      limit,
    },
  ];
}

/** Two threads over all of the memory, against one and against what two threads can read on this machine. */
async function twoThreads(context: MicroContext): Promise<FigureRow[]> {
  const { addon, limits, longPlan, memory, thread } = context;
  if (thread.processors < 2) {
    context.notMeasured('zeropage: two threads, as there is one processor');
    return [];
  }
  const scanner = createZeroPageScanner({ backend: 'native' });
  const into = PageSet.empty(memory.bytes.length / PAGE_BYTES);
  const scan = (threads: number): void => {
    scanner.scan(memory.bytes, PAGE_BYTES, into, { threads });
  };
  const loop = limits.loopOf('readTwoThreads');
  const [one, two, bare] = await thread.everywhere(() =>
    timeInterleaved(
      [
        { name: 'one thread', run: () => scan(1) },
        { name: 'two threads', run: () => scan(2) },
        { name: 'bare read', run: () => void addon.read(memory.bytes, loop, 1, 2) },
      ],
      longPlan,
    ),
  );
  check(into.count() === into.pageCount, `two threads found ${into.count()} of ${into.pageCount} zero pages`);
  if (one === undefined || two === undefined || bare === undefined) return [];
  const name = `zero pages on two threads, ${formatBytes(memory.bytes.length)}`;
  const of = { variant: scanner.name, backend: scanner.backend };
  const rate = rateOf(two, memory.bytes.length);
  const limit = limits.shareOf('readTwoThreads', rate.median);
  // Where two threads read no 1.6 times what one scans, their own rate is what there is to reach.
  const reachable = speedupOf(bare, one).median;
  return [
    { name, ...of, unit: 'GB/s', spread: rate, limit },
    {
      name: "two threads, times one (or the machine's own rate)",
      ...of,
      unit: '×',
      spread: speedupOf(two, one),
      target: atLeast(Math.min(1.6, reachable * WITHIN), reachable),
      limit,
    },
  ];
}

/** A rate counts as reached within this: what two runs of the same loop differ by. */
const WITHIN = 0.97;

/** A call for a single page: what it costs to come and go. */
async function singlePages(context: MicroContext, isas: readonly string[]): Promise<FigureRow[]> {
  const page = context.memory.part(0, PAGE_BYTES);
  const into = PageSet.empty(1);
  const native = nativeScans(isas).slice(0, 1);
  const typescript = createZeroPageScanner({ backend: 'typescript' });
  const operations = [
    ...native.map(({ name, scan }) => ({ name, backend: 'native' as const, run: () => scan(page, into, 1) })),
    {
      name: 'typescript',
      backend: 'typescript' as const,
      run: () => typescript.scan(page, PAGE_BYTES, into),
    },
    {
      name: 'Buffer.compare a page',
      backend: 'node' as const,
      run: () => compareScan(page, into, 1),
    },
  ];
  const rows: FigureRow[] = [];
  for (const { backend, ...operation } of operations) {
    const spread = await timeOperation(operation, context.operationPlan);
    check(into.has(0), `${operation.name} does not see a zero page`);
    const limit = context.limits.shareOf('readL1', PAGE_BYTES / spread.median);
    rows.push({ name: 'a call for one zero page', variant: operation.name, backend, unit: 'ns', spread, limit });
  }
  return rows;
}
