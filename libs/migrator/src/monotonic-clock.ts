import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@godwit/ports';

/** The real clock: `performance.now()`. */
export const monotonicClock: Clock = {
  nowMs: () => performance.now(),
  delay: async (delayMs, signal) => {
    signal?.throwIfAborted();
    await delay(delayMs, undefined, signal && { signal }).catch((error: unknown) => {
      throw signal?.reason ?? error;
    });
  },
};
