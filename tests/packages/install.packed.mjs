import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { isCommonJs, publishedPackages } from '../../scripts/packing.mjs';
import { ROOT } from '../../scripts/root.mjs';
import { EmptyProject } from './empty-project.mjs';
import { nativeProof } from './native-proof.mjs';
import { nodeBinaries } from './node-binaries.mjs';
import { importedNames, readmeOf, tenLines } from './ten-lines.mjs';

/** Registers suites, so it runs under vitest and not by itself. */
const RUN_BY_VITEST = '@godwit/contract-tests';
/** An app: its example takes half a minute of the whole machine. Its command has to answer. */
const APP = '@godwit/bench';

/** What a package may hold. */
const NEEDED =
  /^(?:LICENSE|README\.md|package\.json|native\.cjs|(?:dist|worker|bin)\/.*\.[cm]?js|dist\/.*\.d\.c?ts|include\/.*\.h)$/;

/** Appended to a stranger's script: no addon is mapped into the process. */
const NOTHING_NATIVE =
  "if (process.report.getReport().sharedObjects.some((path) => path.includes('/@godwit/'))) throw new Error('native');";

/** These have no portable path. */
const NATIVE_ONLY = ['@godwit/guest-arena', '@godwit/guest-kvm', '@godwit/wire'];

/** What this machine lacks for the example of a package; undefined where it can run. */
function lackFor({ name, platformNames }) {
  if (NATIVE_ONLY.includes(name) && platformNames.length === 0) return 'its native part is not built here';
  return name === '@godwit/guest-kvm' && !existsSync('/dev/kvm') ? 'no /dev/kvm here' : undefined;
}

const packages = inject('packages');
const manifests = new Map(publishedPackages().map(({ name, manifest }) => [name, manifest]));
const mains = packages.filter(({ platformOf }) => platformOf === undefined);

describe.each(mains)('$name from its tarball, without a compiler or a registry', (packed) => {
  const { name, platformNames } = packed;
  const lack = lackFor(packed);
  const suffix = lack === undefined ? '' : ` (skipped: ${lack})`;
  const manifest = manifests.get(name);
  const example = tenLines(readmeOf(name));
  const project = new EmptyProject();
  const linksVitest = [name, ...importedNames(example ?? '')].includes(RUN_BY_VITEST);

  beforeAll(async () => {
    await project.install(name, ...importedNames(example ?? ''));
    if (linksVitest) symlinkSync(join(ROOT, 'node_modules', 'vitest'), join(project.folder, 'node_modules', 'vitest'));
  });
  afterAll(() => project.remove());

  it('holds what a user needs and nothing else', () => {
    const folder = join(project.folder, 'node_modules', name);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
    expect(files.filter((file) => !NEEDED.test(file))).toEqual([]);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const field of ['scripts', 'devDependencies', 'napi']) expect(manifest).not.toHaveProperty(field);
    expect(JSON.stringify(manifest)).not.toContain('@godwit/source');
  });

  for (const { path: node, version } of nodeBinaries) {
    it(`loads as ${isCommonJs(manifest) ? 'ESM and as CJS with the same names' : 'ESM'}, Node.js ${version}`, async () => {
      const print = '.filter((name) => !/^(default|module.exports)$/.test(name)).sort().join());';
      project.write('names.mjs', `import * as names from '${name}';\nconsole.log(Object.keys(names)${print}`);
      project.write('names.cjs', `console.log(Object.keys(require('${name}'))${print}`);
      const names = await project.run(node, 'names.mjs');
      expect(names.trim()).not.toBe('');
      if (isCommonJs(manifest)) expect(await project.run(node, 'names.cjs')).toBe(names);
    });

    if (name === APP) {
      it(`answers on the command line, Node.js ${version}`, async () => {
        expect(await project.run(node, 'node_modules/@godwit/bench/bin/godwit-bench.js', '--help')).toMatch(/migrate/);
      });
      continue;
    }

    it.skipIf(lack !== undefined)(`runs its ten lines, Node.js ${version}${suffix}`, async () => {
      expect(example).toBeDefined();
      if (name === RUN_BY_VITEST) {
        project.write('ports.test.mjs', example);
        const output = await project.run(node, 'node_modules/vitest/vitest.mjs', 'run');
        expect(output).toMatch(/Tests .*passed/);
        return;
      }
      project.write('ten-lines.mjs', example);
      await project.run(node, 'ten-lines.mjs');
    });

    if (platformNames.length === 0) continue;
    it.skipIf(lack !== undefined)(`runs them natively, Node.js ${version}${suffix}`, async () => {
      project.write('native.mjs', example + nativeProof(name, platformNames));
      expect(await project.run(node, 'native.mjs')).toContain('native: ');
    });
  }

  if (platformNames.length === 0 || NATIVE_ONLY.includes(name) || name === APP) return;
  it('runs them in TypeScript where no platform package fits the machine', async () => {
    for (const { name: platformName, platformOf } of packages) {
      if (platformOf === undefined) continue;
      rmSync(join(project.folder, 'node_modules', platformName), { recursive: true, force: true });
    }
    project.write('portable.mjs', `${example}\n${NOTHING_NATIVE}`);
    await project.run(process.execPath, 'portable.mjs');
  });
});
