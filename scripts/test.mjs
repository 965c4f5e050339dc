// `npm test`: sets up, builds, runs every test and check. The last line is the count. With `-- --nodes` the packed
// packages also run on the other versions of Node.js that they promise, which npm provides.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { installed, run } from './command.mjs';
import { fuzz } from './fuzzing.mjs';
import { otherNodes } from './node-versions.mjs';
import { SetupFailure, setUp } from './setup.mjs';
import { cargoCount, check, countLine, NONE, sum, vitestCount, withExitCode } from './test-count.mjs';

const FUZZ_SECONDS = 20;
const ARM_TESTS = 'libs/zeropage-simd/scripts/test-aarch64.mjs';
/** Its exit code where the compiler, the linker or the emulator is missing. */
const ARM_TESTS_MISSING = 3;

function heading(text) {
  process.stdout.write(`\n== ${text}\n`);
}

async function vitest(name, { options = [], env = {} } = {}) {
  heading(name);
  const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'));
  try {
    const reportPath = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
    const { code } = await run(installed('vitest', 'vitest', 'run', ...options, ...reporters), { env });
    return withExitCode(readCount(reportPath), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readCount(reportPath) {
  try {
    return vitestCount(JSON.parse(readFileSync(reportPath, 'utf8')));
  } catch (error) {
    process.stdout.write(`vitest left no report: ${error.message}\n`);
    return { ...NONE, failed: 1 };
  }
}

async function packages(everyNode) {
  const { binaries, missing } = everyNode ? await otherNodes() : { binaries: [], missing: [] };
  const env = { GODWIT_NODE_BINARIES: binaries.join(delimiter) };
  const count = await vitest('packed packages', { options: ['--config', 'vitest.packages.config.ts'], env });
  for (const sentence of missing) process.stdout.write(`skipped: ${sentence}\n`);
  return sum([count, { ...NONE, skipped: missing.length }]);
}

async function cargo(native) {
  heading('cargo test');
  if (!native) {
    process.stdout.write('skipped: the native parts can not be built here\n');
    return { ...NONE, skipped: 1 };
  }
  const { code, text } = await run(['cargo', 'test', '--workspace', '--no-fail-fast'], { output: 'both' });
  return withExitCode(cargoCount(text), code);
}

/** The kernels for 64-bit Arm, which `cargo test` runs where the processor is one, and an emulator elsewhere. */
async function arm(native) {
  if (arch() === 'arm64') return NONE;
  heading('cargo test for 64-bit Arm, in an emulator');
  if (!native) {
    process.stdout.write('skipped: the native parts can not be built here\n');
    return { ...NONE, skipped: 1 };
  }
  const { code, text } = await run([process.execPath, ARM_TESTS], { output: 'capture' });
  if (code === ARM_TESTS_MISSING) {
    process.stdout.write(`skipped: ${text.trim()}\n`);
    return { ...NONE, skipped: 1 };
  }
  process.stdout.write(text);
  return withExitCode(cargoCount(text), code);
}

async function fuzzing() {
  heading(`fuzz targets, ${FUZZ_SECONDS} s each`);
  return fuzz({ seconds: FUZZ_SECONDS });
}

async function checks() {
  const commands = {
    'biome check': installed('@biomejs/biome', 'biome', 'check', '.'),
    'tsc --noEmit': installed('typescript', 'tsc', '--noEmit'),
    'publint and attw': [process.execPath, 'scripts/check-pack.mjs'],
  };
  const counts = [];
  for (const [name, command] of Object.entries(commands)) {
    heading(name);
    const { code, text } = await run(command, { output: 'capture', env: { NX_DAEMON: 'false', NX_TUI: 'false' } });
    process.stdout.write(code === 0 ? 'fine\n' : text);
    counts.push(check(code));
  }
  return sum(counts);
}

async function everything(everyNode) {
  try {
    const native = await setUp();
    return sum([
      await vitest('vitest'),
      await cargo(native),
      await arm(native),
      await fuzzing(),
      await checks(),
      await packages(everyNode),
    ]);
  } catch (error) {
    process.stdout.write(`${error instanceof SetupFailure ? error.message : error.stack}\n`);
    return { ...NONE, failed: 1 };
  }
}

const total = await everything(process.argv.includes('--nodes'));
process.exitCode = total.failed === 0 ? 0 : 1;
process.stdout.write(`\n${countLine(total)}\n`);
