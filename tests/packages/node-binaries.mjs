import { execFileSync } from 'node:child_process';
import { delimiter } from 'node:path';

/**
 * The Node.js binaries to run a stranger's code with, as `{path, version}`: this one, and those that
 * `GODWIT_NODE_BINARIES` lists (separated as in PATH).
 */
export const nodeBinaries = [process.execPath, ...(process.env.GODWIT_NODE_BINARIES ?? '').split(delimiter)]
  .filter((path) => path !== '')
  .map((path) => ({ path, version: execFileSync(path, ['--version'], { encoding: 'utf8' }).trim() }));
