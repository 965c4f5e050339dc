import { PORTABLE_PAGE_BYTES } from './portable-config.ts';

/** `GODWITPG` in ASCII, in the first word of a guest's memory. */
export const CONTROL_MAGIC: bigint = 0x4750544957444f47n;

/** Places in the control block, in 64-bit words from the beginning of memory. */
export interface ControlWords {
  readonly magic: number;
  readonly program: number;
  /** Beats of idle, batches of appmembench. */
  readonly steps: number;
  readonly checkedPages: number;
  readonly errorCount: number;
  /** The page of the newest error, plus 1. */
  readonly errorPage: number;
  readonly pageWrites: number;
  /** How often as many pages were written as the working set has. */
  readonly iterations: number;
  /** The newest iteration's time. */
  readonly iterationMicroseconds: number;
  readonly cursor: number;
  readonly checkCursor: number;
  readonly random: number;
  /** `steps` once more, at the other end of the page. */
  readonly stepsAgain: number;
}

/** The layout of the control block. */
export const CONTROL_WORDS: ControlWords = {
  magic: 0,
  program: 1,
  steps: 2,
  checkedPages: 3,
  errorCount: 4,
  errorPage: 5,
  pageWrites: 6,
  iterations: 7,
  iterationMicroseconds: 8,
  cursor: 9,
  checkCursor: 10,
  random: 11,
  stepsAgain: PORTABLE_PAGE_BYTES / 8 - 1,
};

/** The number of a program in control block and state. */
export const PROGRAM_NUMBERS: Readonly<Record<'idle' | 'appmembench', number>> = { idle: 1, appmembench: 2 };
