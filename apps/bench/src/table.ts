import { styleText } from 'node:util';
import Table from 'cli-table3';
import type { BenchDocument } from './bench-document.ts';
import { exitCodeOf } from './exit-code.ts';
import { formatPlacement } from './placement.ts';
import { formatBytes, formatCount, formatLink } from './quantities.ts';
import type { Scenario } from './scenario.ts';
import type { Quantiles } from './summary.ts';

/** The result of a scenario for people: what was measured, quantiles, and the verdict. */
export function resultTable(document: BenchDocument, colours: boolean): string {
  const { scenario, summary } = document;
  const table = new Table({
    head: ['', 'p50', 'p95', 'p99', 'max', 'budget'],
    style: { head: colours ? ['bold'] : [], border: colours ? ['grey'] : [], compact: true },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
  });
  const row = (name: string, figure: Quantiles | undefined, digits: number, limit = ''): void => {
    if (figure === undefined) return;
    table.push([
      name,
      ...[figure.p50, figure.p95, figure.p99, figure.max].map((value) => value.toFixed(digits)),
      limit,
    ]);
  };
  row('total, ms', summary.totalMs, 1, `<= ${scenario.budget.totalMs}`);
  row('downtime, ms', summary.downtimeMs, 2, `<= ${scenario.budget.downtimeMs}`);
  row('blackout, ms', summary.blackoutMs, 2);
  row('gap without a migration, ms', summary.controlGapMs, 2);
  row('set-up, ms', summary.setupMs, 1);
  row('sent, MB', scaled(summary.wireBytes, 1e-6), 1);
  row('pages sent again', summary.resentPages, 0);
  row('throughput, Gb/s', scaled(summary.throughputMbps, 1e-3), 2);
  row('frames lost', summary.packetsLost, 0);
  row('verification, ms', summary.verifyMs, 1);
  return `${describeScenario(scenario)}\n${table.toString()}\n${verdict(document, colours)}\n`;
}

/** A scenario in two lines. */
export function describeScenario(scenario: Scenario): string {
  const { guest } = scenario;
  const offered =
    scenario.offeredFramesPerSecond > 0
      ? ` at ${formatCount(scenario.offeredFramesPerSecond)} frames/s of 64 bytes`
      : '';
  return (
    `${formatBytes(guest.memoryBytes)} ${scenario.guestKind} guest, ${formatBytes(guest.residentBytes)} resident (${guest.content}), ` +
    `${describeWorkload(scenario)}${offered}\n` +
    `${scenario.strategy} over ${scenario.transport}, link ${formatLink(scenario.linkBytesPerSecond)}, ` +
    `xbzrle ${scenario.xbzrle ? 'on' : 'off'}, seed ${guest.seed}, memory ${scenario.warm ? 'warmed' : 'not warmed'}, ` +
    `pinned: ${formatPlacement(scenario.placement)}` +
    (scenario.order === undefined ? '' : `, order ${scenario.order}`) +
    (scenario.chunkMs === undefined ? '' : `, a look every ${scenario.chunkMs} ms`) +
    (scenario.tracking === undefined ? '' : `, tracked by ${scenario.tracking}`) +
    (scenario.injectedFault === undefined ? '' : `, injected: ${scenario.injectedFault}`)
  );
}

/** The verdict in a line. */
export function verdict(document: BenchDocument, colours: boolean): string {
  const { runs } = document;
  const disturbed = runs.filter((run) => run.disturbed).length;
  const judged = runs.length - disturbed;
  const met = runs.filter((run) => !run.disturbed && run.budget.met).length;
  const parts = [
    `budget met in ${met} of ${judged} runs`,
    ...(disturbed > 0 ? [`${disturbed} disturbed by the machine`] : []),
    ...(document.undecidedRepetitions > 0 ? [`${document.undecidedRepetitions} repetitions undecided`] : []),
    document.verified === undefined ? 'memory not compared' : document.verified ? 'memory verified' : 'MEMORY DIFFERS',
    document.selfChecked ? 'self-check passed' : 'SELF-CHECK FAILED',
  ];
  const good = exitCodeOf(document) === 0;
  const text = `${good ? 'PASS' : 'FAIL'}: ${parts.join(', ')}`;
  return colours ? styleText(good ? 'green' : 'red', text, { validateStream: false }) : text;
}

function describeWorkload({ guest: { workload } }: Scenario): string {
  if (workload.name !== 'appmembench') return workload.name;
  const rate =
    workload.bytesPerSecond !== undefined
      ? `${formatCount(workload.bytesPerSecond)}B/s`
      : workload.pagesPerSecond
        ? `${formatCount(workload.pagesPerSecond)} pages/s`
        : 'as fast as it can';
  return `appmembench (${formatBytes(workload.workingSetBytes)}, ${workload.pattern}, ${rate})`;
}

function scaled(figure: Quantiles | undefined, factor: number): Quantiles | undefined {
  if (figure === undefined) return undefined;
  return { p50: figure.p50 * factor, p95: figure.p95 * factor, p99: figure.p99 * factor, max: figure.max * factor };
}
