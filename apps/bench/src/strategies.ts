import { recencyOrder } from '@godwit/dirty-tracker';
import type { PageOrder, Strategy } from '@godwit/ports';
import { preCopy, stopAndCopy } from '@godwit/strategies';

/** What a strategy that sends rounds is told; everything has a default. */
export interface RoundOptions {
  readonly order?: PageOrder;
  /** See `PreCopyOptions.chunkMs`. */
  readonly chunkMs?: number;
}

/** The strategies by the names that `--strategy` knows; a fresh one for every migration. */
export const STRATEGIES: Readonly<Record<string, (options: RoundOptions) => Strategy>> = {
  'pre-copy': (options) => preCopy({ order: recencyOrder(), ...options }),
  'stop-and-copy': () => stopAndCopy(),
};
