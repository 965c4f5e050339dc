import type { ControlWords } from './control-words.ts';
import type { ContentKind, PortableConfig } from './portable-config.ts';
import type { PortableLayout } from './portable-layout.ts';

/** What the thread shall do. */
export interface ProgramOrders {
  readonly park: number;
  readonly run: number;
}

/** What the thread does. */
export interface ProgramStates {
  /** It fills a fresh memory, or only begins. */
  readonly starting: number;
  /** It stands between two steps and writes nothing. */
  readonly parked: number;
  readonly running: number;
}

/** Places of the order and of the state in the signals, in 32-bit words. */
export interface SwitchWords {
  readonly order: number;
  readonly state: number;
}

/** Orders; park is what shared memory begins with. */
export const PROGRAM_ORDERS: ProgramOrders = { park: 0, run: 1 };
/** States; starting is what shared memory begins with. */
export const PROGRAM_STATES: ProgramStates = { starting: 0, parked: 1, running: 2 };
/** The layout of the signals. */
export const SWITCH_WORDS: SwitchWords = { order: 0, state: 1 };

/** Given to a worker thread when it starts. */
export interface WorkerAssignment {
  readonly memory: SharedArrayBuffer;
  /** One bit a page, set after each write. */
  readonly marks: SharedArrayBuffer;
  /** Order and state; not a part of the guest. */
  readonly signals: SharedArrayBuffer;
  readonly pageSizeBytes: number;
  /** Whether to fill memory first. */
  readonly fresh: boolean;
  readonly content: ContentKind;
  readonly seed: number;
  readonly workload: PortableConfig['workload'];
  readonly layout: PortableLayout;
  readonly magic: bigint;
  readonly program: number;
  readonly controlWords: ControlWords;
  readonly orders: ProgramOrders;
  readonly states: ProgramStates;
  readonly switchWords: SwitchWords;
}
