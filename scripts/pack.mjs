// `npm run pack -- [FOLDER] [--addons FOLDER]...`: every package as it would be published, as tarballs in FOLDER
// (dist-packages). Platform packages are made for the addons built here and for those that lie in the folders named.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PackingFailure, packEverything } from './packing.mjs';
import { ROOT } from './root.mjs';

const USAGE = 'npm run pack -- [FOLDER] [--addons FOLDER]...';

async function pack() {
  const { values, positionals } = parseArgs({
    options: { addons: { type: 'string', multiple: true, default: [] } },
    allowPositionals: true,
  });
  if (positionals.length > 1) throw new TypeError('there is one folder to pack into');
  const into = resolve(ROOT, positionals[0] ?? 'dist-packages');
  for (const { tarball } of await packEverything({ into, addonFolders: values.addons.map((name) => resolve(name)) })) {
    process.stdout.write(`${tarball}  ${Math.ceil(statSync(tarball).size / 1024)} KiB\n`);
  }
}

try {
  await pack();
} catch (error) {
  if (error instanceof PackingFailure) process.stderr.write(`${error.message}\n`);
  else if (error instanceof TypeError) process.stderr.write(`${error.message}\n${USAGE}\n`);
  else throw error;
  process.exitCode = error instanceof PackingFailure ? 1 : 2;
}
