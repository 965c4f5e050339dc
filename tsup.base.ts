import { rmSync } from 'node:fs';
import { defineConfig } from 'tsup';

/** What a package builds besides its library. */
export interface Entries {
  /** Formats of the library. Default: ESM and CJS. */
  readonly formats?: readonly ('esm' | 'cjs')[];
  /** Further entry files with types, such as a worker that is started by path. Paths from the package folder. */
  readonly modules?: readonly string[];
  /** Entry files of processes (command lines, hosts): ESM only, without types. Paths from the package folder. */
  readonly programs?: readonly string[];
}

/**
 * The build of every package: `src/index.ts` to ESM and CJS in `dist/`, each with its own declarations.
 * `shims` gives the CJS build an `import.meta.url`, from which the native addons and the workers are found.
 */
export function library(entries: Entries = {}): ReturnType<typeof defineConfig> {
  // Once, before either build starts: a clean of tsup's own in one would take away what the other has just written.
  rmSync('dist', { recursive: true, force: true });
  const shared = {
    outDir: 'dist',
    target: 'node20',
    platform: 'node',
    treeshake: true,
    clean: false,
  } as const;
  const modules = ['src/index.ts', ...(entries.modules ?? [])];
  const programs = [...(entries.programs ?? [])];
  return defineConfig([
    { ...shared, entry: modules, format: [...(entries.formats ?? (['esm', 'cjs'] as const))], dts: true, shims: true },
    ...(programs.length > 0 ? [{ ...shared, entry: programs, format: 'esm' as const }] : []),
  ]);
}
