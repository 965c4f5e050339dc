import type { PageOrder } from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { PAGE_ORDERS } from './page-orders.ts';
import { PageWriter, WRITE_PATTERNS, type WritePattern } from './page-writer.ts';
import { SimulatedMigration, type SimulatedOutcome } from './simulated-migration.ts';

/** One guest, and how it is collected. */
export interface OrderCase {
  readonly pattern: WritePattern;
  readonly writesPerSecond: number;
  /** See `PreCopyOptions.chunkMs`. */
  readonly chunkMs: number;
}

/** What one order came to in one case, as medians over the seeds. */
export interface OrderResult extends OrderCase {
  readonly order: string;
  readonly resentPages: number;
  readonly blackoutPages: number;
  readonly rounds: number;
  readonly totalMs: number;
  /** Re-sent pages over those of the address order, seed by seed: the median, and how far they spread. */
  readonly ofAddress: { readonly median: number; readonly least: number; readonly most: number };
}

/** What is compared. */
export interface ComparisonOptions {
  readonly seeds: number;
  readonly writesPerSecond: readonly number[];
  readonly chunkMs: readonly number[];
}

/** A guest of 256 MiB that writes 64 MiB of it, on a link of 10 Gb/s. */
export const SIMULATED: {
  readonly pageCount: number;
  readonly workingSetPages: number;
  readonly pagesPerSecond: number;
  readonly budget: { readonly totalMs: number; readonly downtimeMs: number };
} = {
  pageCount: 65_536,
  workingSetPages: 16_384,
  pagesPerSecond: 1.25e9 / 4096,
  budget: { totalMs: 2000, downtimeMs: 10 },
};

/** A loss or a gain of less is none: the first re-sends go by what was not yet seen to be wrong. */
export const TOLERANCE = 0.02;

/**
 * Moves the same simulated guests with each order: pre-copy as it is, orders as they are, with `onCase` called after each.
 * @throws Error where a page did not arrive in its newest version
 */
export async function compareOrders(
  options: ComparisonOptions,
  onCase: (results: readonly OrderResult[]) => void | Promise<void>,
): Promise<OrderResult[]> {
  const all: OrderResult[] = [];
  for (const pattern of WRITE_PATTERNS) {
    for (const chunkMs of options.chunkMs) {
      for (const writesPerSecond of options.writesPerSecond) {
        const results = await compareCase({ pattern, writesPerSecond, chunkMs }, options.seeds);
        all.push(...results);
        await onCase(results);
      }
    }
  }
  return all;
}

/** The results that break a promise, in words: that no order loses anywhere, and that each that learns wins under zipf. */
export function brokenPromises(results: readonly OrderResult[]): string[] {
  const learning = results.filter(({ order }) => order !== 'address');
  const lost = learning.filter(({ ofAddress }) => ofAddress.median > 1 + TOLERANCE);
  const broken = lost.map((result) => `${describeCase(result)}: ${result.order} re-sends more than by address`);
  for (const order of new Set(learning.map((result) => result.order))) {
    const zipf = learning.filter((result) => result.order === order && result.pattern === 'zipf');
    if (zipf.every(({ ofAddress }) => ofAddress.median > 1 - TOLERANCE)) {
      broken.push(`${order} never re-sends fewer under zipf`);
    }
  }
  return broken;
}

/** A case in words. */
export function describeCase({ pattern, writesPerSecond, chunkMs }: OrderCase): string {
  return `${pattern}, ${writesPerSecond.toLocaleString('en')} writes a second, collected every ${chunkMs} ms`;
}

async function compareCase(simulated: OrderCase, seeds: number): Promise<OrderResult[]> {
  const outcomes = new Map<string, SimulatedOutcome[]>();
  for (const [name, make] of Object.entries(PAGE_ORDERS)) {
    const ofOrder: SimulatedOutcome[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) ofOrder.push(await simulate(simulated, make(), seed));
    outcomes.set(name, ofOrder);
  }
  const byAddress = outcomes.get('address') ?? [];
  return [...outcomes].map(([order, ofOrder]) => {
    const ratios = ofOrder.map(({ resentPages }, index) => ratio(resentPages, byAddress[index]?.resentPages ?? 0));
    return {
      ...simulated,
      order,
      resentPages: median(ofOrder.map(({ resentPages }) => resentPages)),
      blackoutPages: median(ofOrder.map(({ blackoutPages }) => blackoutPages)),
      rounds: median(ofOrder.map(({ rounds }) => rounds)),
      totalMs: median(ofOrder.map(({ totalMs }) => totalMs)),
      ofAddress: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
    };
  });
}

async function simulate(
  { pattern, writesPerSecond, chunkMs }: OrderCase,
  order: PageOrder,
  seed: number,
): Promise<SimulatedOutcome> {
  const { pageCount, workingSetPages, pagesPerSecond, budget } = SIMULATED;
  // In the middle of the memory.
  const writer = new PageWriter(pattern, (pageCount - workingSetPages) / 2, workingSetPages, seed);
  const migration = new SimulatedMigration({ pageCount, writer, writesPerSecond, pagesPerSecond, budget });
  let rounds = 0;
  for await (const event of preCopy({ order, chunkMs }).run(migration)) if (event.type === 'round') rounds += 1;
  const outcome = migration.outcome(rounds);
  if (outcome.stalePages > 0) throw new Error(`${outcome.stalePages} pages did not arrive as they are`);
  return outcome;
}

function ratio(pages: number, byAddress: number): number {
  return byAddress === 0 ? 1 + pages : pages / byAddress;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
