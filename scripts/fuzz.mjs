// `node scripts/fuzz.mjs [--seconds N] [target...]`: runs the fuzz targets, all or those named, N seconds each (20).
import { parseArgs } from 'node:util';
import { fuzz } from './fuzzing.mjs';
import { countLine } from './test-count.mjs';

const USAGE = 'node scripts/fuzz.mjs [--seconds N] [target...]';

function parsed() {
  const { values, positionals } = parseArgs({ options: { seconds: { type: 'string' } }, allowPositionals: true });
  const seconds = Number(values.seconds ?? 20);
  if (!Number.isSafeInteger(seconds) || seconds < 1) throw new Error('the seconds are a number above 0');
  return { seconds, names: positionals };
}

try {
  const count = await fuzz(parsed());
  process.exitCode = count.failed === 0 ? 0 : 1;
  process.stdout.write(`${countLine(count)}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n${USAGE}\n`);
  process.exitCode = 2;
}
