/**
 * The Node.js binaries to run a stranger's code with: this one, and those that `GODWIT_NODE_BINARIES` lists (paths,
 * separated as in PATH).
 */
import { delimiter } from 'node:path';

export const nodeBinaries = [
  process.execPath,
  ...(process.env.GODWIT_NODE_BINARIES ?? '').split(delimiter).filter((path) => path !== ''),
];
