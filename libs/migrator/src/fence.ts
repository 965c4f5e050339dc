import { readFile } from 'node:fs/promises';

/** What is known of an epoch whose destination does not answer. */
export type FenceVerdict =
  /** Proved: it did not start there and never will. The source may go on. */
  | 'not-started'
  /** It did start there, and runs. */
  | 'started'
  /** It did start there, and that process is gone, with the guest's newest writes. */
  | 'lost'
  /** Nothing is proved; the source stays frozen and asks again. */
  | 'unknown';

/** Asked while a switchover is in doubt and the destination cannot be reached. */
export type Fence = (session: string, epoch: number) => Promise<FenceVerdict>;

/**
 * A fence for a destination whose process can be watched and that keeps a journal (`journalPath` of its options): once
 * the process is gone, a journal without a `started` line of the epoch proves that the guest never ran there, because
 * the line is written before the guest is started; one with it means that the guest is lost.
 */
export function journalFence(options: {
  readonly journalPath: string;
  readonly isAlive: () => boolean | Promise<boolean>;
}): Fence {
  return async (session, epoch) => {
    if (await options.isAlive()) return 'unknown';
    let journal = '';
    try {
      journal = await readFile(options.journalPath, 'utf8');
    } catch (error) {
      // No journal at all: it is opened before the destination admits a guest, so nothing was started.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return 'unknown';
    }
    // The last word counts: a guest that could not be let go after `started` was renounced after all.
    const words = journal.split('\n').filter((line) => line.startsWith(`${session} ${epoch} `));
    return words.at(-1)?.endsWith(' started') ? 'lost' : 'not-started';
  };
}
