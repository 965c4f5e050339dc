// `npm start`: sets up what is missing, builds, and runs the main job. Arguments after `--` go to the job.
import { join } from 'node:path';
import { run } from './command.mjs';
import { ROOT } from './root.mjs';
import { SetupFailure, setUp } from './setup.mjs';

const NATIVE_JOB = ['main'];
const PORTABLE_JOB = ['migrate', '--guest', 'portable', '--workload', 'appmembench', '--memory', '64MiB'];

async function start(jobArguments) {
  const native = await setUp();
  // Ctrl-C reaches the job as well, and it is the job that decides how to end.
  process.on('SIGINT', () => {});
  const bench = join(ROOT, 'apps', 'bench', 'bin', 'godwit-bench.js');
  const { code } = await run([process.execPath, bench, ...(native ? NATIVE_JOB : PORTABLE_JOB), ...jobArguments]);
  return code;
}

try {
  process.exitCode = await start(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
