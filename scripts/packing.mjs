import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { installed, npm, run } from './command.mjs';
import { publishedManifest } from './published-manifest.mjs';
import { ROOT } from './root.mjs';

const FAMILIES = ['libs', 'apps'];

/** Packing could not be completed; its message is for the user. */
export class PackingFailure extends Error {}

function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The packages of this repository that are published: `{name, folder, manifest}`. */
export function publishedPackages() {
  return FAMILIES.flatMap((family) => readdirSync(join(ROOT, family)).map((name) => join(ROOT, family, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }));
}

/** Whether a package can also be required. */
export function isCommonJs({ exports }) {
  return 'require' in exports['.'];
}

async function succeed(command, options) {
  const { code, text } = await run(command, { output: 'capture', ...options });
  if (code !== 0) throw new PackingFailure(text);
  return text;
}

/** Packs folders as they are and returns the tarballs' paths in the same order. */
export async function packFolders(folders, into) {
  const flags = ['--ignore-scripts', '--silent', '--pack-destination', into];
  const text = await succeed(npm('pack', ...flags, ...folders.map((folder) => resolve(folder))));
  return text
    .trim()
    .split('\n')
    .map((name) => join(into, name.trim()));
}

/** What a package ships, in a folder of its own. */
async function stage({ name, manifest }, tarball, folder) {
  mkdirSync(folder, { recursive: true });
  await succeed(['tar', '-xzf', tarball, '-C', folder, '--strip-components=1']);
  if (!existsSync(join(folder, manifest.main))) throw new PackingFailure(`${name} is not built: run "npm run build"`);
}

/**
 * Lays out the platform packages of a package that has a native part, as napi-rs does, and drops those whose addon is in
 * none of `addonFolders`. Returns the folders of the others.
 */
async function stagePlatforms({ manifest }, folder, addonFolders) {
  if (manifest.napi === undefined) return [];
  await succeed(installed('@napi-rs/cli', 'napi', 'create-npm-dirs', '--cwd', folder), {
    env: { NO_COLOR: '1' },
  });
  const npmFolder = join(folder, 'npm');
  const platforms = [];
  for (const platform of readdirSync(npmFolder).sort()) {
    const target = join(npmFolder, platform);
    const { main } = readManifest(target);
    const addon = addonFolders.map((addons) => join(addons, main)).find(existsSync);
    if (addon === undefined) continue;
    copyFileSync(addon, join(target, main));
    copyFileSync(join(folder, 'LICENSE'), join(target, 'LICENSE'));
    // Names of debugging are most of an addon. Where there is no strip for this file, it goes as it is.
    await run(['strip', '--strip-unneeded', join(target, main)], { output: 'capture' });
    platforms.push(target);
  }
  return platforms;
}

async function packOne(published, tarball, staging, addonFolders) {
  const folder = join(staging, published.name.replace('/', '+'));
  await stage(published, tarball, folder);
  const platforms = await stagePlatforms(published, folder, [published.folder, ...addonFolders]);
  for (const platform of platforms) writeManifest(platform, publishedPlatform(readManifest(platform)));
  const versions = platforms.map(readManifest).map(({ name, version }) => [name, version]);
  writeManifest(folder, publishedManifest(published.manifest, Object.fromEntries(versions)));
  const main = { name: published.name, folder, platformNames: versions.map(([name]) => name) };
  return [
    main,
    ...platforms.map((platform, index) => ({ name: versions[index][0], folder: platform, platformOf: main.name })),
  ];
}

function publishedPlatform(manifest) {
  return { ...manifest, publishConfig: { access: 'public' } };
}

/**
 * Writes every package into the folder `into` as it would be published, with its platform packages: those whose addon
 * was built here, or lies in one of `addonFolders`. Works in a copy. Resolves with, for each tarball, `{name, tarball,
 * platformNames}` of a package or `{name, tarball, platformOf}` of a platform's.
 */
export async function packEverything({ into, addonFolders = [] }) {
  const staging = mkdtempSync(join(tmpdir(), 'godwit-pack-'));
  try {
    mkdirSync(into, { recursive: true });
    for (const name of readdirSync(into)) if (name.endsWith('.tgz')) rmSync(join(into, name));
    const packages = publishedPackages();
    const plain = await packFolders(
      packages.map(({ folder }) => folder),
      staging,
    );
    const staged = [];
    for (const [index, published] of packages.entries()) {
      staged.push(...(await packOne(published, plain[index], staging, addonFolders)));
    }
    const tarballs = await packFolders(
      staged.map(({ folder }) => folder),
      into,
    );
    return staged.map(({ folder: _, ...rest }, index) => ({ ...rest, tarball: tarballs[index] }));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
