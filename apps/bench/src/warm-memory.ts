import { fork } from 'node:child_process';
import { once } from 'node:events';
import { freemem } from 'node:os';
import { remember } from './child-ledger.ts';
import { programPath } from './program-path.ts';

/** Memory of this machine that was touched and is held until `release` gives it back. */
export interface WarmMemory {
  readonly heldBytes: number;
  /** Gives it back; resolves when the kernel has it. */
  release(): Promise<void>;
}

/**
 * Has a process touch memory and hold it. Under a hypervisor with free-page reporting, memory that was free for more than
 * about a second is with the host, and its next first touch costs 10 to 20 times the usual: a destination that populates
 * such memory measures the hypervisor. Released right before a migration, the memory is what that destination gets.
 */
export async function warmMemory(bytes: number): Promise<WarmMemory> {
  const wantedBytes = Math.min(bytes, Math.floor(freemem() / 2));
  const child = fork(programPath('warm-main'), [String(wantedBytes)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  remember(child);
  const ended = once(child, 'exit');
  const [message] = await Promise.race([once(child, 'message'), ended.then(() => [{ heldBytes: 0 }])]);
  return {
    heldBytes: (message as { readonly heldBytes: number }).heldBytes,
    release: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
