import { defineConfig, type ViteUserConfig } from 'vitest/config';

// What a stranger gets: the packed packages, installed into empty projects. Needs everything built.
const configuration: ViteUserConfig = defineConfig({
  test: {
    include: ['tests/packages/*.packed.mjs'],
    globalSetup: ['tests/packages/packed-packages.mjs'],
    pool: 'forks',
    // Each installs and runs whole packages; a limit here only ends a hang.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Guests measure time: no two of them at once.
    fileParallelism: false,
  },
});

export default configuration;
