import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { BenchAddon } from './bench-native.ts';

/** The JavaScript thread, on which everything is measured: it stays on one processor where that can be had. */
export interface MeasuringThread {
  /** `measure=1`, or `none` where the scheduler decides. */
  readonly placement: string;
  /** Processors that this process may use; a pinned thread no longer sees them. */
  readonly processors: number;
  /** Does something that brings threads of its own: these may run everywhere. */
  everywhere<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Lets the thread run everywhere again. */
  release(): void;
}

/** The last processor: interrupts prefer the first one. */
export function defaultProcessor(): number | undefined {
  const processors = availableParallelism();
  return processors > 1 ? processors - 1 : undefined;
}

/** Keeps the thread on `processor`; where that is undefined, or the system does not let it, the scheduler decides. */
export async function placeMeasuringThread(addon: BenchAddon, processor: number | undefined): Promise<MeasuringThread> {
  // Threads inherit where they may run. Node's own pool starts with the first piece of work for it, so it starts here.
  await stat('.');
  const processors = availableParallelism();
  const pinned = processor !== undefined && succeeds(() => addon.pinThread(processor));
  const release = (): void => {
    if (pinned) addon.pinThread();
  };
  return {
    processors,
    placement: pinned ? `measure=${processor}` : 'none',
    async everywhere(work) {
      release();
      try {
        return await work();
      } finally {
        if (pinned) addon.pinThread(processor);
      }
    },
    release,
  };
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
