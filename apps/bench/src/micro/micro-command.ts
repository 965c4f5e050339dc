import { writeFile } from 'node:fs/promises';
import { GodwitError } from '@godwit/ports';
import { EXIT } from '../exit-code.ts';
import { hasColours, type OutputOptions, outputTo } from '../output.ts';
import { everyMustMet } from './micro-document.ts';
import type { MicroName } from './micro-names.ts';
import { microTable } from './micro-table.ts';
import { type MicroOptions, runMicro } from './run-micro.ts';

/** `godwit-bench micro` as it was typed. */
export interface MicroFlags extends OutputOptions {
  readonly isa?: readonly string[];
  /** A file for the figure. */
  readonly svg?: string;
  readonly quick?: boolean;
  readonly pin?: number | 'none';
}

/**
 * `godwit-bench micro [name]`: measures, prints the table, writes the document and the figure. Resolves to the exit code: 0
 * where every must is met, 1 where one is not.
 */
export async function microCommand(
  name: MicroName | undefined,
  flags: MicroFlags,
  signal: AbortSignal,
): Promise<number> {
  const { progress, document: writeDocument } = outputTo(flags);
  const options: MicroOptions = {
    ...(name !== undefined && { benchmarks: [name] }),
    ...(flags.isa !== undefined && { isas: flags.isa }),
    ...(typeof flags.pin === 'number' && { processor: flags.pin }),
    quick: flags.quick === true,
    signal,
    onStage: (stage) => progress.note(`measuring: ${stage}`),
  };
  const figure = flags.svg === undefined ? undefined : await loadFigure();
  const document = await runMicro(options);
  if (flags.json !== '-') process.stdout.write(`${microTable(document, hasColours(process.stdout))}\n`);
  await writeDocument(document);
  if (flags.svg !== undefined && figure !== undefined) await writeFile(flags.svg, figure.microFigure(document));
  return everyMustMet(document) ? EXIT.met : EXIT.notMet;
}

/**
 * Only who wants a figure needs the charts, which are larger than all else; asked for before minutes are spent on figures.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED`
 */
async function loadFigure(): Promise<typeof import('./micro-figure.ts')> {
  try {
    return await import('./micro-figure.ts');
  } catch (cause) {
    const what = 'the figure is drawn by the package echarts, which is not installed: npm install echarts';
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', what, { cause });
  }
}
