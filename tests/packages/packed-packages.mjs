import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packEverything, packFolders, publishedPackages } from '../../scripts/packing.mjs';
import { ROOT } from '../../scripts/root.mjs';

/** What the compiler of a TypeScript user needs besides. */
const TYPES_OF_NODE = '@types/node';

/**
 * Packs everything once for all tests, with the third-party packages that ours depend on (from this repository's own
 * installation, so that nothing is asked of a registry), and provides:
 *
 * - `packages`: `{name, tarball, folder, platformNames?, platformOf?}` of each of ours
 * - `tarballs`: the path of the tarball of every package that may be installed, by name
 * - `bareFolder`: a folder with `node` alone in it, for a PATH without a compiler
 */
export default async function setup(project) {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-packages-'));
  const packages = await packEverything({ into: join(folder, 'ours') });
  const theirs = join(folder, 'theirs');
  mkdirSync(theirs);
  const paths = installedClosure();
  const tarballs = await packFolders(
    [...paths.values()].map((path) => join(ROOT, path)),
    theirs,
  );
  const bareFolder = join(folder, 'bin');
  mkdirSync(bareFolder);
  symlinkSync(process.execPath, join(bareFolder, 'node'));
  project.provide('packages', packages);
  project.provide('tarballs', {
    ...Object.fromEntries(packages.map(({ name, tarball }) => [name, tarball])),
    ...Object.fromEntries([...paths.keys()].map((name, index) => [name, tarballs[index]])),
  });
  project.provide('bareFolder', bareFolder);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Where the third-party packages that ours need at run time are installed here, by name, from package-lock.json. */
function installedClosure() {
  const locked = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const paths = new Map();
  const walk = (name, from) => {
    const path = nearest(locked, name, from);
    if (path === undefined) throw new Error(`${name}, which ${from} needs, is not in package-lock.json`);
    if (locked[path].link) return;
    const known = paths.get(name);
    if (known !== undefined && locked[known].version !== locked[path].version) {
      throw new Error(`two versions of ${name} are needed`);
    }
    if (known !== undefined) return;
    paths.set(name, path);
    for (const dependency of Object.keys(locked[path].dependencies ?? {})) walk(dependency, path);
  };
  for (const { folder, manifest } of publishedPackages()) {
    for (const name of Object.keys(manifest.dependencies ?? {})) walk(name, folder.slice(ROOT.length));
  }
  walk(TYPES_OF_NODE, '');
  return paths;
}

/** As Node.js looks for it: in node_modules of the folder, and of each one above. */
function nearest(locked, name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    if (folder === '.') folder = '';
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in locked) return path;
    if (folder === '') return undefined;
  }
}
