import { describe, expect, it } from 'vitest';
import { publishedManifest } from '../scripts/published-manifest.mjs';

const manifest = {
  name: '@godwit/pigeon',
  version: '1.2.3',
  license: 'MIT',
  files: ['dist', 'native.cjs'],
  exports: {
    '.': {
      '@godwit/source': './src/index.ts',
      import: { types: './dist/index.d.ts', default: './dist/index.js' },
    },
    './package.json': './package.json',
  },
  scripts: { build: 'tsup' },
  napi: { binaryName: 'godwit-pigeon' },
  dependencies: { '@godwit/ports': '^1.0.0' },
  devDependencies: { '@godwit/contract-tests': '^1.0.0' },
};

describe('the manifest under which a package is published', () => {
  it('keeps what its user needs and names its platform packages', () => {
    expect(publishedManifest(manifest, { '@godwit/pigeon-linux-x64-gnu': '1.2.3' })).toEqual({
      name: '@godwit/pigeon',
      version: '1.2.3',
      license: 'MIT',
      files: ['dist', 'native.cjs'],
      exports: {
        '.': { import: { types: './dist/index.d.ts', default: './dist/index.js' } },
        './package.json': './package.json',
      },
      dependencies: { '@godwit/ports': '^1.0.0' },
      optionalDependencies: { '@godwit/pigeon-linux-x64-gnu': '1.2.3' },
      publishConfig: { access: 'public' },
    });
  });

  it('has no optional dependencies without a platform package', () => {
    expect(publishedManifest(manifest)).not.toHaveProperty('optionalDependencies');
  });
});
