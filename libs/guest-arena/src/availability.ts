import { addon } from './native.ts';

/** Whether arena guests can be made in this process. */
export interface ArenaAvailability {
  readonly available: boolean;
  /** What is missing, in words; empty when nothing is. */
  readonly reason: string;
}

/** Looks whether arena guests can be made in this process: Linux, the native module, and a userfaultfd that records writes. */
export function arenaAvailability(): ArenaAvailability {
  const reason = addon.unavailableBecause();
  return { available: reason === undefined, reason: reason ?? '' };
}
