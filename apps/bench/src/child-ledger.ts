import type { ChildProcess } from 'node:child_process';

const children: Set<ChildProcess> = new Set();

/** Remembers a child until it is gone, so that none is left behind however the bench ends. */
export function remember(child: ChildProcess): void {
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child));
}

/** Kills the children that are left; synchronous, for the very end of a process. */
export function killRemembered(): void {
  for (const child of children) child.kill('SIGKILL');
}

process.on('exit', killRemembered);
