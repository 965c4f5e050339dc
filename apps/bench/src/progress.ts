import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { MigrationEvent } from '@godwit/ports';
import type { BenchRun } from './bench-document.ts';
import { formatBytes } from './quantities.ts';

/** Hears how far a benchmark is. */
export interface Progress {
  note(text: string): void;
  begin(run: number, runs: number, attempt: number): void;
  stage(stage: string): void;
  event(event: MigrationEvent): void;
  done(run: BenchRun): void;
}

/** Says nothing. */
export const silentProgress: Progress = { note() {}, begin() {}, stage() {}, event() {}, done() {} };

/** A stream that may be a terminal. */
export interface ProgressStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * Progress for people: on a terminal one line that changes (round, remaining, rate, estimate) and a line for each run that
 * is done; elsewhere only the latter.
 */
export function lineProgress(stream: ProgressStream, colours: boolean): Progress {
  const live = stream.isTTY === true;
  let label = '';
  const show = (text: string): void => {
    if (live) stream.write(`\r\u001b[K${`${label} ${text}`.slice(0, (stream.columns ?? 100) - 1)}`);
  };
  const line = (text: string): void => {
    stream.write(`${live ? '\r\u001b[K' : ''}${text}\n`);
  };
  return {
    note: line,
    begin(run, runs, attempt) {
      label = `run ${run}/${runs}${attempt > 1 ? `, attempt ${attempt}` : ''}:`;
    },
    stage: show,
    event(event) {
      if (event.type === 'progress') {
        const { round, remainingBytes, bytesPerSecond, estimateMs } = event;
        const rate = bytesPerSecond > 0 ? `, ${formatBytes(Math.round(bytesPerSecond))}/s` : '';
        show(`round ${round}, ${formatBytes(remainingBytes)} remaining${rate}, ${estimateMs.toFixed(0)} ms to go`);
      } else if (event.type === 'phase') {
        show(event.phase);
      }
    },
    done(run) {
      line(`${label} ${describeRun(run, colours)}`);
    },
  };
}

function describeRun(run: BenchRun, colours: boolean): string {
  const gap = run.packets === undefined ? '' : `, longest gap ${run.packets.longestGapMs.toFixed(2)} ms`;
  const lost = run.packets === undefined || run.packets.lost === 0 ? '' : `, ${run.packets.lost} frames lost`;
  const figures = `total ${run.totalMs.toFixed(1)} ms, blackout ${run.blackoutMs.toFixed(2)} ms${gap}${lost}`;
  const paint = (style: 'red' | 'green' | 'yellow', text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  if (run.verified === false) return `${figures} - ${paint('red', 'memory differs')}`;
  if (!run.selfCheck.ok) return `${figures} - ${paint('red', `self-check failed (${run.selfCheck.detail})`)}`;
  if (run.disturbed) {
    return `${figures} - ${paint('yellow', `disturbed (gap of ${run.packets?.controlGapMs.toFixed(2)} ms without a migration)`)}`;
  }
  return `${figures} - ${run.budget.met ? paint('green', 'met') : paint('red', run.budget.missedBecause ?? 'missed')}`;
}
