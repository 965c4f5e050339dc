import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkspaceMember } from './direction-violations.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FAMILIES = ['libs', 'apps', 'examples'];
const SHIPPED_FOLDERS = ['src', 'bin'];
const TEST_FOLDERS = ['test', 'bench'];
const IMPORT = /\b(?:from|import|import\(|require\(|require\.resolve\()\s*['"]([^'"]+)['"]/g;

function memberFolders(manifest: string): string[] {
  return FAMILIES.filter((family) => existsSync(join(ROOT, family)))
    .flatMap((family) => readdirSync(join(ROOT, family)).map((name) => join(ROOT, family, name)))
    .filter((folder) => existsSync(join(folder, manifest)));
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?[jt]s$/.test(name) && !name.split(sep).includes('node_modules'))
    .map((name) => join(folder, name));
}

function godwitNames(record: unknown): string[] {
  return Object.keys(record ?? {}).filter((name) => name.startsWith('@godwit/'));
}

function specifiers(files: readonly string[]): { file: string; specifier: string }[] {
  return files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(IMPORT)].map(([, specifier = '']) => ({ file, specifier })),
  );
}

function importedPackages(files: readonly string[]): string[] {
  const names = specifiers(files).flatMap(({ specifier }) => /^@godwit\/[^/]+/.exec(specifier) ?? []);
  return [...new Set(names)];
}

function escapes(folder: string, files: readonly string[]): string[] {
  return specifiers(files)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .filter(({ file, specifier }) => relative(folder, resolve(dirname(file), specifier)).startsWith('..'))
    .map(({ file, specifier }) => `${relative(ROOT, file)}: ${specifier}`);
}

/** Every npm package of the workspace, with what its manifest declares and what its files import. */
export function npmPackages(): WorkspaceMember[] {
  return memberFolders('package.json').map((folder) => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const shipped = SHIPPED_FOLDERS.flatMap((name) => sourceFiles(join(folder, name)));
    const tests = TEST_FOLDERS.flatMap((name) => sourceFiles(join(folder, name)));
    return {
      name: manifest.name,
      dependencies: ['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap((key) =>
        godwitNames(manifest[key]),
      ),
      devDependencies: godwitNames(manifest.devDependencies),
      imports: importedPackages(shipped),
      testImports: importedPackages(tests),
      escapes: escapes(folder, [...shipped, ...tests]),
    };
  });
}

/**
 * The crates of this repository a Cargo manifest names, by section. Reads the part of TOML that Cargo manifests use for
 * dependencies: a section heading a line, a dependency a line, or a heading for each dependency.
 */
export function crateManifest(text: string): Pick<WorkspaceMember, 'name' | 'dependencies' | 'devDependencies'> {
  let section = '';
  let name = '';
  const dependencies = new Set<string>();
  const devDependencies = new Set<string>();
  for (const raw of text.split('\n')) {
    const line = raw.replace(/^\s*#.*$/, '').trim();
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = heading;
    if (section === 'package') name = /^name\s*=\s*"([^"]+)"/.exec(line)?.[1] ?? name;
    const inDependencies = /(?:^|\.)(dev-|build-)?dependencies(?:\.|$)/.exec(section);
    if (inDependencies === null) continue;
    const target = inDependencies[1] === 'dev-' ? devDependencies : dependencies;
    for (const [crate] of line.matchAll(/\bgodwit-[a-z0-9-]+/g)) target.add(crate);
  }
  return { name, dependencies: [...dependencies], devDependencies: [...devDependencies] };
}

/** Every crate of the workspace; Cargo itself refuses an import that is not declared. */
export function crates(): WorkspaceMember[] {
  return memberFolders('Cargo.toml').map((folder) => ({
    ...crateManifest(readFileSync(join(folder, 'Cargo.toml'), 'utf8')),
    imports: [],
    testImports: [],
    escapes: [],
  }));
}
