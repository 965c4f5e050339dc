import { spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inject } from 'vitest';
import { npm } from '../../scripts/command.mjs';

/**
 * A project of somebody else's: an empty folder into which packages are installed from their tarballs alone. No
 * registry, no npm cache, and nothing but Node.js on the PATH.
 */
export class EmptyProject {
  constructor() {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'godwit-project-')));
    this.environment = { PATH: inject('bareFolder'), HOME: this.folder, npm_config_userconfig: '/dev/null' };
  }

  /** Installs packages by name; what they depend on comes from the tarballs as well. */
  async install(...names) {
    const tarballs = Object.entries(inject('tarballs')).map(([name, tarball]) => [name, `file:${tarball}`]);
    const dependencies = Object.fromEntries(tarballs.filter(([name]) => names.includes(name)));
    const manifest = { name: 'somebody-elses', private: true, dependencies, overrides: Object.fromEntries(tarballs) };
    this.write('package.json', JSON.stringify(manifest));
    // Peers (vitest, for the contract suites) are the user's own affair.
    const flags = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'];
    const cache = ['--cache', join(this.folder, '.npm')];
    return this.run(...npm('install', ...flags, ...cache));
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text);
  }

  /** Runs a command in the project. Resolves with its output; rejects with it where it fails. */
  run(file, ...args) {
    const child = spawn(file, args, { cwd: this.folder, env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        const text = Buffer.concat(chunks).toString();
        if (code === 0) resolve(text);
        else reject(new Error(`${dirname(file)} ${args.join(' ')} ended with ${signal ?? code}:\n${text}`));
      });
    });
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
