import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import Table from 'cli-table3';
import { EXIT } from '../exit-code.ts';
import { hasColours, type OutputOptions } from '../output.ts';
import { brokenPromises, compareOrders, describeCase, type OrderResult, SIMULATED } from './order-comparison.ts';

/** What may be said about `order`. */
export interface OrderFlags extends OutputOptions {
  readonly seeds: number;
}

/** Below the link's rate, about it, and far above it. */
const WRITES_PER_SECOND = [150_000, 250_000, 300_000, 400_000, 700_000, 1_000_000, 4_000_000];
/** What pre-copy does by itself, and often enough for an order to act on. */
const CHUNK_MS = [100, 10, 3];

/**
 * `godwit-bench order`: how many pages are sent again with each order, under guests that write at random, by Zipf's law, and
 * in a sweep. Simulated, so that every run gives the same. Resolves to the exit code: 1 where an order loses.
 */
export async function orderCommand(flags: OrderFlags, signal: AbortSignal): Promise<number> {
  const { seeds, json, quiet = false } = flags;
  const cases = { seeds, writesPerSecond: WRITES_PER_SECOND, chunkMs: CHUNK_MS };
  const results = await compareOrders(cases, async ([first]) => {
    // A turn of the event loop, on which an interruption is heard.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    if (!quiet && first !== undefined) process.stderr.write(`${describeCase(first)}\n`);
  });
  const broken = brokenPromises(results);
  const document = orderDocument(results, seeds, broken);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  if (json === '-') process.stdout.write(text);
  else if (json !== undefined) await writeFile(json, text);
  if (json !== '-') process.stdout.write(orderTable(results, broken));
  return broken.length === 0 ? EXIT.met : EXIT.notMet;
}

function orderDocument(results: readonly OrderResult[], seeds: number, broken: readonly string[]): unknown {
  return {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', memoryBytes: totalmem(), system: release(), node: process.version },
    simulated: SIMULATED,
    limits: [],
    results: results.map(({ order, resentPages, ofAddress, blackoutPages, rounds, totalMs, ...simulated }) => ({
      name: `pages sent again: ${describeCase(simulated)}`,
      variant: order,
      backend: 'typescript',
      value: resentPages,
      unit: 'pages',
      samples: seeds,
      shareOfLimit: null,
      ...simulated,
      ofAddress,
      blackoutPages,
      rounds,
      totalMs,
    })),
    broken,
    met: broken.length === 0,
  };
}

function orderTable(results: readonly OrderResult[], broken: readonly string[]): string {
  const colours = hasColours(process.stdout);
  const orders = [...new Set(results.map(({ order }) => order))];
  const learning = orders.filter((order) => order !== 'address');
  const table = new Table({
    head: ['pages sent again', 'by address', ...learning.flatMap((order) => [order, 'of address'])],
    style: { head: colours ? ['bold'] : [], border: colours ? ['grey'] : [], compact: true },
    colAligns: ['left', ...orders.map(() => 'right' as const), ...learning.map(() => 'right' as const)],
  });
  for (const name of new Set(results.map(describeCase))) {
    const ofCase = (order: string): OrderResult | undefined =>
      results.find((result) => result.order === order && describeCase(result) === name);
    const pages = (order: string): string => Math.round(ofCase(order)?.resentPages ?? 0).toLocaleString('en');
    table.push([
      name,
      pages('address'),
      ...learning.flatMap((order) => [pages(order), `${((ofCase(order)?.ofAddress.median ?? 0) * 100).toFixed(1)} %`]),
    ]);
  }
  const verdict = broken.length === 0 ? 'PASS: no order loses, and each wins under zipf' : `FAIL: ${broken.join('; ')}`;
  return `${table.toString()}\n${verdict}\n`;
}
