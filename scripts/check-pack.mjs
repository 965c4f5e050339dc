// `npm run check:pack`: packs everything and holds each tarball to publint and, where it has types, to attw.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installed, run } from './command.mjs';
import { isCommonJs, PackingFailure, packEverything, publishedPackages } from './packing.mjs';

/** Entries that are no JavaScript, and so have no types. */
function untypedEntries(manifest) {
  return Object.entries(manifest.exports)
    .filter(([, target]) => typeof target === 'string' && !/\.[cm]?js$/.test(target))
    .map(([entry]) => entry.replace('./', ''))
    .filter((entry) => entry !== 'package.json');
}

function checksOf({ name, tarball, platformOf }, manifests) {
  const publint = installed('publint', 'publint', tarball, '--strict');
  if (platformOf !== undefined) return [publint];
  const untyped = untypedEntries(manifests.get(name));
  const exclusions = untyped.length > 0 ? ['--exclude-entrypoints', ...untyped] : [];
  const profile = isCommonJs(manifests.get(name)) ? [] : ['--profile', 'esm-only'];
  return [publint, installed('@arethetypeswrong/cli', 'attw', tarball, ...exclusions, ...profile)];
}

/** Resolves with whether it is fine; says what is not. */
async function holds(packed, manifests) {
  const results = await Promise.all(checksOf(packed, manifests).map((check) => run(check, { output: 'capture' })));
  const broken = results.filter(({ code }) => code !== 0);
  process.stdout.write(`${packed.name}: ${broken.length === 0 ? 'fine' : 'broken'}\n`);
  for (const { text } of broken) process.stdout.write(text);
  return broken.length === 0;
}

async function checkAll() {
  const into = mkdtempSync(join(tmpdir(), 'godwit-check-pack-'));
  try {
    const manifests = new Map(publishedPackages().map(({ name, manifest }) => [name, manifest]));
    let fine = true;
    for (const packed of await packEverything({ into })) fine = (await holds(packed, manifests)) && fine;
    return fine;
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
}

try {
  process.exitCode = (await checkAll()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof PackingFailure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
