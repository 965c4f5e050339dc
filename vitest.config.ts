import { defaultClientConditions, defaultServerConditions } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const SOURCE_CONDITION = '@godwit/source';

const configuration: ViteUserConfig = defineConfig({
  // Packages find each other's sources, so that no test of a library waits for a TypeScript build.
  resolve: { conditions: [SOURCE_CONDITION, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [SOURCE_CONDITION, ...defaultServerConditions] } },
  test: {
    include: [
      'tests/**/*.test.{ts,mjs}',
      'libs/*/test/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
    ],
    // A process for each file: native addons, signals and mappings of one file never meet those of another.
    pool: 'forks',
    // Generous, because some tests start real hosts and move a guest between them; a limit here only ends a hang.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});

export default configuration;
