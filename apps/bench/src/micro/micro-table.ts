import { styleText } from 'node:util';
import Table from 'cli-table3';
import { formatBytes } from '../quantities.ts';
import { everyMustMet, formatFigure, type MicroDocument, type MicroResult } from './micro-document.ts';

/** The document for people: the machine, its limits, a table for each benchmark, and the verdict. */
export function microTable(document: MicroDocument, colours: boolean): string {
  const { results, notMeasured } = document;
  const benchmarks = [...new Set(results.map(({ benchmark }) => benchmark))];
  const tables = benchmarks.map((benchmark) => {
    const rows = byName(results.filter((result) => result.benchmark === benchmark));
    return `${heading(benchmark, colours)}\n${resultRows(rows, colours)}`;
  });
  const notes = notMeasured.map((what) => `not measured: ${what}`);
  return [
    describe(document),
    limitRows(document, benchmarks.length === 0, colours),
    ...tables,
    ...notes,
    verdict(document, colours),
  ].join('\n\n');
}

/** The machine in two lines. */
export function describe({ machine, quick }: MicroDocument): string {
  const { cpu, processors, memoryBytes, system, node, isas, measuredBytes, hugePages, placement, cacheBytes } = machine;
  const caches = Object.entries(cacheBytes).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  return (
    `${cpu}, ${processors} processors (${isas.join(', ')}), ${caches.join(', ')}; ${formatBytes(memoryBytes)}; ${system}; Node.js ${node}\n` +
    `${formatBytes(measuredBytes)} measured in ${hugePages ? 'huge pages' : 'pages of 4 KiB'}, populated before; pinned: ${placement}; ` +
    `median of interleaved samples (p5 to p95)${quick ? '; QUICK: few samples of little memory, not for quoting' : ''}`
  );
}

/** Whether every must is met, in a line. */
export function verdict(document: MicroDocument, colours: boolean): string {
  const judged = document.results.filter(({ met }) => met !== undefined);
  const met = judged.filter((result) => result.met).length;
  const aimed = judged.filter(({ aim }) => aim !== undefined);
  const aims = aimed.filter((result) => result.aimMet).length;
  const good = everyMustMet(document);
  const text = `${good ? 'PASS' : 'FAIL'}: ${met} of ${judged.length} musts met, ${aims} of ${aimed.length} aims`;
  return colours ? styleText(good ? 'green' : 'red', text, { validateStream: false }) : text;
}

function heading(text: string, colours: boolean): string {
  return colours ? styleText('bold', text, { validateStream: false }) : text;
}

function limitRows({ limits }: MicroDocument, all: boolean, colours: boolean): string {
  const table = newTable(["the machine's limits", 'by', 'median', 'p5 to p95', 'unit'], colours, [2, 3]);
  for (const { name, variant, value, p5, p95, unit, fastest } of limits) {
    if (!all && !fastest) continue;
    table.push([name, `${variant}${all && fastest ? ' (fastest)' : ''}`, formatFigure(value), range(p5, p95), unit]);
  }
  return table.toString();
}

function resultRows(results: readonly MicroResult[], colours: boolean): string {
  const head = ['', 'by', 'backend', 'median', 'p5 to p95', 'unit', 'must', 'aim', '', 'of the limit'];
  const table = newTable(head, colours, [3, 4, 6, 7, 9]);
  let last = '';
  for (const result of results) {
    const { name, variant, backend, value, p5, p95, unit, must, aim, better, shareOfLimit } = result;
    const goal = (target: number | undefined): string =>
      target === undefined ? '' : `${better === 'lower' ? '<=' : '>='} ${trimmed(target)}`;
    table.push([
      name === last ? '' : name,
      variant,
      backend,
      formatFigure(value),
      range(p5, p95),
      unit,
      goal(must),
      goal(aim),
      judgement(result, colours),
      shareOfLimit === null ? '' : `${formatFigure(100 * shareOfLimit)} %`,
    ]);
    last = name;
  }
  return table.toString();
}

/** Variants of the same thing beside one another, in the order in which the first of each was measured. */
function byName(results: readonly MicroResult[]): readonly MicroResult[] {
  const names = [...new Set(results.map(({ name }) => name))];
  return names.flatMap((name) => results.filter((result) => result.name === name));
}

function judgement({ met, aimMet }: MicroResult, colours: boolean): string {
  if (met === undefined) return '';
  const [style, text] = met ? (['green', aimMet ? 'aim' : 'met'] as const) : (['red', 'MISSED'] as const);
  return colours ? styleText(style, text, { validateStream: false }) : text;
}

function range(p5: number, p95: number): string {
  return `${formatFigure(p5)} to ${formatFigure(p95)}`;
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function newTable(head: string[], colours: boolean, right: readonly number[]): Table.Table {
  return new Table({
    head,
    style: { head: colours ? ['bold'] : [], border: colours ? ['grey'] : [], compact: true },
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    colWidths: head.map((name, index) => (index === 0 && name === '' ? 52 : null)),
    wordWrap: true,
  });
}
