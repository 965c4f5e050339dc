import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from './root.mjs';

/** The path of a command of an installed package, run with this very Node.js. Nothing is looked up on the network. */
function packageCommand(packageName, commandName) {
  const manifestPath = join(ROOT, 'node_modules', packageName, 'package.json');
  const { bin } = createRequire(import.meta.url)(manifestPath);
  return join(dirname(manifestPath), typeof bin === 'string' ? bin : bin[commandName]);
}

/** The argument vector that runs a command of an installed package. */
export function installed(packageName, commandName, ...args) {
  return [process.execPath, packageCommand(packageName, commandName), ...args];
}

/** npm's own file: of the one that started us where there is one, else of the first on the PATH. */
function npmFile() {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'npm'));
  const files = [process.env.npm_execpath, ...onPath].filter((file) => file !== undefined && existsSync(file));
  return files.map((file) => realpathSync(file)).find((file) => file.endsWith('npm-cli.js'));
}

/** The argument vector that runs npm, with this very Node.js where npm's file is found. */
export function npm(...args) {
  const file = npmFile();
  return file === undefined ? ['npm', ...args] : [process.execPath, file, ...args];
}

/**
 * Runs a command in the repository's folder and resolves with its exit code (128 + n after signal n, 127 where it could
 * not be started). `output`: 'inherit' shows it, 'capture' only keeps it, 'both' does both; kept text is in `text`.
 */
export function run([file, ...args], { output = 'inherit', env = {} } = {}) {
  const kept = [];
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: output === 'inherit' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  });
  for (const name of ['stdout', 'stderr']) {
    child[name]?.on('data', (chunk) => {
      kept.push(chunk);
      if (output === 'both') process[name].write(chunk);
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 127, text: String(error) }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 128 + constants.signals[signal], text: Buffer.concat(kept).toString() }),
    );
  });
}
