import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/root.mjs';

/** The first example in a README; undefined where there is none. */
export function tenLines(readme) {
  return /^```(?:js|ts)\n(.*?)^```/ms.exec(readme)?.[1];
}

/** The packages that code imports, by name. */
export function importedNames(code) {
  const specifiers = [...code.matchAll(/\bfrom '([^'.][^']*)'/g)].map(([, specifier]) => specifier);
  return [
    ...new Set(
      specifiers.map((specifier) =>
        specifier
          .split('/')
          .slice(0, specifier[0] === '@' ? 2 : 1)
          .join('/'),
      ),
    ),
  ];
}

/** The folder of a package in this repository has its name without the scope. */
export function readmeOf(name) {
  const folder = name.replace('@godwit/', '');
  return readFileSync(join(ROOT, folder === 'bench' ? 'apps' : 'libs', folder, 'README.md'), 'utf8');
}
