// `npm run test:nodes`: the packed packages under the other versions of Node.js that they promise to run on. Needs
// everything built, and npm's registry the first time.
import { delimiter } from 'node:path';
import { installed, run } from './command.mjs';
import { otherNodes } from './node-versions.mjs';

const { binaries, missing } = await otherNodes();
for (const sentence of missing) process.stderr.write(`skipped: ${sentence}\n`);
const command = installed('vitest', 'vitest', 'run', '--config', 'vitest.packages.config.ts', 'install');
const { code } = await run(command, { env: { GODWIT_NODE_BINARIES: binaries.join(delimiter) } });
process.exitCode = code === 0 && missing.length > 0 ? 3 : code;
