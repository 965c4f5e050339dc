import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import { ROOT } from '../../scripts/root.mjs';
import { EmptyProject } from './empty-project.mjs';
import { importedNames } from './ten-lines.mjs';

const source = readFileSync(join(ROOT, 'tests', 'packages', 'consumer.ts'), 'utf8');
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // The declarations of every package are compiled too.
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  lib: ['es2023'],
  types: ['node'],
};

const FLAVOURS = {
  'ESM in Node.js': { file: 'consumer.mts', module: 'nodenext', moduleResolution: 'nodenext' },
  'CJS in Node.js': { file: 'consumer.cts', module: 'nodenext', moduleResolution: 'nodenext' },
  'ESM for a bundler': { file: 'consumer.ts', module: 'esnext', moduleResolution: 'bundler' },
  'CJS for a bundler': { file: 'consumer.cts', module: 'preserve', moduleResolution: 'bundler' },
};

describe('a TypeScript user of the packed packages', () => {
  const project = new EmptyProject();
  const imported = importedNames(source);

  beforeAll(async () => {
    const native = inject('packages').filter(({ platformOf }) => imported.includes(platformOf));
    await project.install(...imported, ...native.map(({ name }) => name), '@types/node');
  });
  afterAll(() => project.remove());

  it.each(Object.entries(FLAVOURS))('compiles %s', async (_, { file, ...resolution }) => {
    project.write(file, source);
    project.write('tsconfig.json', JSON.stringify({ compilerOptions: { ...STRICT, ...resolution }, files: [file] }));
    await project.run(process.execPath, compiler, '-p', '.');
  });
});
