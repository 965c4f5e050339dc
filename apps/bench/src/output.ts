import { writeFile } from 'node:fs/promises';
import type { BenchDocument } from './bench-document.ts';
import { lineProgress, type Progress, silentProgress } from './progress.ts';
import { resultTable } from './table.ts';

/** Where results go. */
export interface OutputOptions {
  /** A file for the document; `-` puts it on standard output and nothing else there. */
  readonly json?: string;
  readonly quiet?: boolean;
}

/** Progress on standard error, tables or one JSON document on standard output. */
export interface Output {
  readonly progress: Progress;
  /** Prints the table of a scenario. */
  table(document: BenchDocument): void;
  /** Writes the document, if that was asked for. */
  document(document: unknown): Promise<void>;
}

/** The output of a command. `NO_COLOR` is honoured. */
export function outputTo({ json, quiet = false }: OutputOptions): Output {
  return {
    progress: quiet ? silentProgress : lineProgress(process.stderr, hasColours(process.stderr)),
    table(document) {
      if (json !== '-') process.stdout.write(`${resultTable(document, hasColours(process.stdout))}\n`);
    },
    async document(document) {
      if (json === undefined) return;
      const text = `${JSON.stringify(document, undefined, 2)}\n`;
      if (json === '-') process.stdout.write(text);
      else await writeFile(json, text);
    },
  };
}

/** Whether a stream is a terminal that shows colours, and its user wants them. */
export function hasColours(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
