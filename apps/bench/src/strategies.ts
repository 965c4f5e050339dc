import { recencyOrder } from '@godwit/dirty-tracker';
import type { Strategy } from '@godwit/ports';
import { preCopy, stopAndCopy } from '@godwit/strategies';

/** The strategies by the names that `--strategy` knows; a fresh one for every migration. */
export const STRATEGIES: Readonly<Record<string, () => Strategy>> = {
  'pre-copy': () => preCopy({ order: recencyOrder() }),
  'stop-and-copy': () => stopAndCopy(),
};
