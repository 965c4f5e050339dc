import { priorityOrder, recencyOrder } from '@godwit/dirty-tracker';
import { PageSet } from '@godwit/page-set';
import type { PageOrder } from '@godwit/ports';
import { formatCount } from '../quantities.ts';
import { atMost, type FigureRow, type RowBackend } from './figure-row.ts';
import { check, type MicroContext } from './micro-context.ts';
import { timeOperation } from './operation-timing.ts';
import { seededRandom } from './seeded-random.ts';
import type { Spread } from './spread.ts';

const PAGE_COUNT = 2_097_152;
const DIRTY_PAGES = 100_000;
const ROUNDS = 4;

/** Makes one order for each migration. */
const ORDERS: Readonly<Record<string, () => PageOrder>> = {
  recency: recencyOrder,
  priority: priorityOrder,
};

/** Learning from a round's dirty pages, and putting them in order, in 8 GiB of pages. */
export async function orderRows(context: MicroContext): Promise<FigureRow[]> {
  const rounds = dirtyRounds();
  const rows: FigureRow[] = [];
  for (const [name, make] of Object.entries(ORDERS)) rows.push(...(await rowsOf(context, name, make, rounds)));
  const lastSeen = new Map<number, number>();
  let round = 0;
  const plain = await timeOperation(
    {
      name: 'plain',
      run() {
        for (const page of rounds[++round % ROUNDS]?.pages() ?? []) lastSeen.set(page, round);
        return lastSeen.size;
      },
    },
    context.operationPlan,
  );
  return [...rows, row(context, OBSERVE, 'a Map of pages', 'javascript', plain)];
}

const OBSERVE = `update the order for ${formatCount(DIRTY_PAGES)} dirty pages`;

async function rowsOf(
  context: MicroContext,
  name: string,
  make: () => PageOrder,
  rounds: readonly PageSet[],
): Promise<readonly FigureRow[]> {
  const order = make();
  for (const dirty of rounds) order.observe(dirty);
  const last = rounds.at(-1) ?? PageSet.empty(PAGE_COUNT);
  const arranged = PageSet.fromRuns(PAGE_COUNT, order.arrange(last));
  check(arranged.equals(last), `the order ${name} does not arrange every page once`);
  let round = 0;
  const next = (): PageSet => rounds[++round % ROUNDS] ?? last;
  const observe = await timeOperation({ name, run: () => order.observe(next()) }, context.operationPlan);
  const both = await timeOperation(
    {
      name,
      run() {
        const dirty = next();
        order.observe(dirty);
        return order.arrange(dirty);
      },
    },
    context.operationPlan,
  );
  const target = atMost(10, 3);
  return [
    { ...row(context, OBSERVE, name, 'typescript', observe), target },
    { ...row(context, `${OBSERVE} and put them in order`, name, 'typescript', both), target },
  ];
}

function row(context: MicroContext, name: string, variant: string, backend: RowBackend, spread: Spread): FigureRow {
  // The bitmap is read, and four bytes a dirty page are written.
  const leastBytes = PAGE_COUNT / 8 + 4 * DIRTY_PAGES;
  const limit = context.limits.shareOf('copyL2', leastBytes / spread.median);
  return { name, variant, backend, unit: 'ms', spread: inMilliseconds(spread), limit };
}

function inMilliseconds({ median, p5, p95, samples }: Spread): Spread {
  return { median: median / 1e6, p5: p5 / 1e6, p95: p95 / 1e6, samples };
}

/** Rounds of scattered dirty pages, of which some are dirty again and again. */
function dirtyRounds(): readonly PageSet[] {
  const random = seededRandom(1);
  return Array.from({ length: ROUNDS }, () => {
    const dirty = PageSet.empty(PAGE_COUNT);
    let pages = 0;
    while (pages < DIRTY_PAGES) {
      const isHot = random() < 0.5;
      const page = Math.floor(random() * (isHot ? 2 * DIRTY_PAGES : PAGE_COUNT));
      if (dirty.has(page)) continue;
      dirty.add(page);
      pages += 1;
    }
    return dirty;
  });
}
