import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from './root.mjs';

function atLeast(version, wanted) {
  const [have, want] = [version, wanted].map((text) => text.split('.').map(Number));
  return have[0] !== want[0] ? have[0] > want[0] : have[1] >= (want[1] ?? 0);
}

function versionOf(command) {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/\d+\.\d+/.exec(stdout)?.[0] ?? '') : undefined;
}

/** One sentence where this Node.js is too old, otherwise undefined. */
export function nodeComplaint() {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const wanted = engines.node.replace('>=', '');
  if (atLeast(process.versions.node, wanted)) return undefined;
  return `Godwit needs Node.js ${wanted} or newer, and this is ${process.versions.node}: get one at https://nodejs.org.`;
}

/** One sentence on what the native parts lack here, or undefined where they can be built. */
export function nativeComplaint() {
  if (process.platform !== 'linux') {
    return `The native parts of Godwit run on Linux only, so this ${process.platform} machine takes the portable path.`;
  }
  // A fresh rustup has not reached the PATH of shells that were open before it.
  const cargoHome = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin');
  if (existsSync(join(cargoHome, 'cargo'))) process.env.PATH = `${process.env.PATH}${delimiter}${cargoHome}`;
  const wanted = /^rust-version = "([\d.]+)"/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))[1];
  const rustVersion = versionOf('cargo') === undefined ? undefined : versionOf('rustc');
  if (rustVersion === undefined) {
    return `Rust was not found, so Godwit takes its portable path; for the native one install Rust ${wanted} or newer from https://rustup.rs and start again.`;
  }
  if (!atLeast(rustVersion, wanted)) {
    return `Rust ${rustVersion} is too old, so Godwit takes its portable path; for the native one run "rustup update" (${wanted} or newer, https://rustup.rs) and start again.`;
  }
  if (versionOf('cc') === undefined) {
    return 'Rust found no C linker (cc), so Godwit takes its portable path; for the native one install gcc or clang and start again.';
  }
  return undefined;
}
