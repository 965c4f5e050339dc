import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Names this boot of this machine: two processes with the same one read the same CLOCK_MONOTONIC. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Not Linux: a name that is equal on both sides only on the same host, where the clock is the same too.
    return `host:${hostname()}`.slice(0, 64);
  }
}
