// `npm start`: sets up what is missing, builds, and runs the main job. Arguments after `--` go to the job.
import { join } from 'node:path';
import { run } from './command.mjs';
import { ROOT } from './root.mjs';
import { SetupFailure, setUp } from './setup.mjs';

const NATIVE_JOB = ['main'];
// A writer that the portable path can follow, and a downtime that JavaScript's collector does not break.
const PORTABLE_JOB =
  'migrate --guest portable --memory 256MiB --resident 64MiB --workload appmembench --working-set 4MiB --page-rate 1k --budget-downtime 25'.split(
    ' ',
  );

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
