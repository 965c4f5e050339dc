import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a program of this package lies: beside this file in a build, in `dist` for the sources. */
export function programPath(name: 'host-main'): string {
  const beside = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
}
