import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.mjs';

function lockedPackages(...path) {
  return JSON.parse(readFileSync(join(ROOT, ...path), 'utf8')).packages;
}

/** Whether node_modules holds what package-lock.json asks for; optional packages of other platforms aside. */
export function isInstalled() {
  if (!existsSync(join(ROOT, 'node_modules', '.package-lock.json'))) return false;
  const present = lockedPackages('node_modules', '.package-lock.json');
  return Object.entries(lockedPackages('package-lock.json')).every(
    ([path, { version, link, optional, devOptional }]) =>
      !path.startsWith('node_modules/') ||
      optional ||
      devOptional ||
      (path in present && present[path].link === link && present[path].version === version),
  );
}
