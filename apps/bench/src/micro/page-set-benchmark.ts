import { availableIsas, PageSet, type PageSetOptions } from '@godwit/page-set';
import { formatBytes } from '../quantities.ts';
import { atMost, type FigureRow, type RowBackend } from './figure-row.ts';
import { check, type MicroContext } from './micro-context.ts';
import { timeOperation } from './operation-timing.ts';
import { plainCount, plainOr } from './plain-words.ts';
import { seededRandom } from './seeded-random.ts';
import type { Spread } from './spread.ts';

const PAGE_BYTES = 4096;
const GIB = 2 ** 30;

/** How much memory the sets are over. */
const SMALL_BYTES = 8 * GIB;
const LARGE_BYTES = 1024 * GIB;
/** Of a round. */
const DIRTY_PAGES = 10_000;

/** `@godwit/page-set`: every operation over 8 GiB and over 1 TiB of pages. */
export async function pageSetBenchmark(context: MicroContext): Promise<FigureRow[]> {
  // Throws where the native build is missing: what is not there is not measured in silence.
  PageSet.empty(1, { backend: 'native' });
  const isas = availableIsas().filter(context.wants);
  if (isas.length === 0) {
    context.notMeasured('page-set: there is no kernel of the instruction sets asked for');
  }
  const choices: Choice[] = [
    ...isas.map((isa): Choice => ({ name: isa, backend: 'native', options: { isa } })),
    { name: 'typescript', backend: 'typescript', options: { backend: 'typescript' } },
  ];
  const rows: FigureRow[] = [];
  const fastest = choices.find(({ backend }) => backend === 'native');
  for (const choice of choices) {
    rows.push(...(await operationRows(context, choice, SMALL_BYTES, choice === fastest)));
  }
  rows.push(await plainRow(context));
  // A TypeScript walk over 32 MiB of words takes long and says nothing new; nor does any in a quick run.
  if (fastest !== undefined && !context.quick) {
    rows.push(...(await operationRows(context, fastest, LARGE_BYTES, false)));
  }
  return rows;
}

interface Choice {
  readonly name: string;
  readonly backend: RowBackend;
  readonly options: PageSetOptions;
}

interface SetOperation {
  readonly name: string;
  /** How often the words of a set must be read at least. */
  readonly walks: number;
  run(): unknown;
}

async function operationRows(
  context: MicroContext,
  { name: variant, backend, options }: Choice,
  memoryBytes: number,
  judged: boolean,
): Promise<FigureRow[]> {
  const sets = randomSets(memoryBytes / PAGE_BYTES, options);
  checkSets(sets, variant);
  const samplesMin = memoryBytes === LARGE_BYTES ? 7 : context.operationPlan.samplesMin;
  const rows: FigureRow[] = [];
  for (const operation of operationsOf(sets, options)) {
    const spread = await timeOperation(operation, { ...context.operationPlan, samplesMin });
    const target = operation.name === 'or and count' && judged ? { target: atMost(100, 30) } : {};
    rows.push({ ...rowOf(context, operation, memoryBytes, spread), variant, backend, ...target });
  }
  return rows;
}

interface Sets {
  readonly some: PageSet;
  readonly others: PageSet;
  /** Few pages. */
  readonly sparse: PageSet;
  readonly into: PageSet;
}

function operationsOf({ some, others, sparse, into }: Sets, options: PageSetOptions): readonly SetOperation[] {
  const [marks, anded, subtracted] = [sparse.clone(), some.clone(), some.clone()];
  const bytes = sparse.toBytes();
  return [
    { name: 'or and count', walks: 3, run: () => some.or(others).count() },
    { name: 'or', walks: 2, run: () => some.or(others) },
    { name: 'and', walks: 2, run: () => anded.and(others) },
    { name: 'subtract', walks: 2, run: () => subtracted.subtract(others) },
    { name: 'count', walks: 1, run: () => some.count() },
    { name: 'next run, all of 10,000', walks: 1, run: () => walkRuns(sparse) },
    {
      name: 'fetch and clear 10,000, twice',
      walks: 4,
      // Forth and back, so that there is as much to fetch the next time.
      run: () => into.fetchAndClear(marks) + marks.fetchAndClear(into),
    },
    { name: 'serialise 10,000 pages', walks: 1, run: () => sparse.toBytes() },
    {
      name: 'read 10,000 serialised pages',
      walks: 1,
      run: () => PageSet.fromBytes(bytes, { ...options, pageCountMax: sparse.pageCount }),
    },
  ];
}

function walkRuns(set: PageSet): number {
  let runs = 0;
  let run = set.nextRun();
  while (run !== undefined) {
    runs += 1;
    run = set.nextRun(run.firstPage + run.pageCount);
  }
  return runs;
}

/** Scattered pages: a tenth of all in two sets each (two million at most), and a round's dirty ones in a third. */
function randomSets(pageCount: number, options: PageSetOptions): Sets {
  const random = seededRandom(1);
  const set = (pages: number): PageSet => {
    const made = PageSet.empty(pageCount, options);
    for (let page = 0; page < pages; page += 1) made.add(Math.floor(random() * pageCount));
    return made;
  };
  const many = Math.min(pageCount / 10, 2_000_000);
  return { some: set(many), others: set(many), sparse: set(DIRTY_PAGES), into: PageSet.empty(pageCount, options) };
}

function checkSets({ some, others, sparse }: Sets, variant: string): void {
  const inBoth = some.clone().and(others).count();
  const either = some.clone().or(others);
  let listed = 0;
  for (const page of either.pages()) if (some.has(page) || others.has(page)) listed += 1;
  const right = listed === either.count() && listed === some.count() + others.count() - inBoth;
  check(right, `${variant}: or, and, count and the listed pages do not agree`);
  check(PageSet.fromBytes(sparse.toBytes()).equals(sparse), `${variant}: a page set comes back as another one`);
}

/** A loop over words, as one would write it. */
async function plainRow(context: MicroContext): Promise<FigureRow> {
  const { some, others } = randomSets(SMALL_BYTES / PAGE_BYTES, { backend: 'typescript' });
  const operation = {
    name: 'or and count',
    walks: 3,
    run() {
      plainOr(some.words, others.words);
      return plainCount(some.words);
    },
  };
  const row = rowOf(context, operation, SMALL_BYTES, await timeOperation(operation, context.operationPlan));
  return { ...row, variant: 'Uint32Array loop', backend: 'javascript' };
}

function rowOf(
  context: MicroContext,
  { name, walks }: SetOperation,
  memoryBytes: number,
  { median, p5, p95, samples }: Spread,
): Pick<FigureRow, 'name' | 'unit' | 'spread' | 'limit'> {
  const wordBytes = memoryBytes / PAGE_BYTES / 8;
  // 256 KiB of words stay in the second level of cache, 32 MiB do not.
  const limit = context.limits.shareOf(memoryBytes === SMALL_BYTES ? 'readL2' : 'read', (walks * wordBytes) / median);
  return {
    name: `${name}, ${formatBytes(memoryBytes)} of pages`,
    unit: 'µs',
    spread: { median: median / 1e3, p5: p5 / 1e3, p95: p95 / 1e3, samples },
    limit,
  };
}
