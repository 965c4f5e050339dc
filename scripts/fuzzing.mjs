import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from './command.mjs';
import { nativeComplaint } from './prerequisites.mjs';
import { ROOT } from './root.mjs';
import { NONE, sum } from './test-count.mjs';

/** What cargo-fuzz passes too. Stable Rust takes it; the sanitizer alone is behind a switch for unstable features. */
const COVERAGE_FLAGS = [
  '--cfg=fuzzing',
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map(
    (flag) => `-Cllvm-args=-sanitizer-coverage-${flag}`,
  ),
  '-Ccodegen-units=1',
];

/** One sentence where fuzz targets cannot be built here, otherwise undefined. */
function complaint() {
  const missing = nativeComplaint();
  if (missing !== undefined) return missing;
  // libFuzzer comes as C++ source with its crate.
  const compiler = process.env.CXX ?? 'c++';
  if (spawnSync(compiler, ['--version']).status !== 0) {
    return `There is no C++ compiler (${compiler}), which libFuzzer needs: install g++ or clang.`;
  }
  return undefined;
}

/** Every fuzz target of the repository: its name, its crate's folder, and the package it belongs to. */
function everyTarget() {
  return readdirSync(join(ROOT, 'libs')).flatMap((library) => {
    const folder = join(ROOT, 'libs', library, 'fuzz');
    if (!existsSync(join(folder, 'Cargo.toml'))) return [];
    const manifest = readFileSync(join(folder, 'Cargo.toml'), 'utf8');
    return [...manifest.matchAll(/^\[\[bin\]\]\nname = "([^"]+)"/gm)].map(([, name]) => ({ name, folder, library }));
  });
}

function rustc(...args) {
  const { stdout } = spawnSync('rustc', args, { encoding: 'utf8' });
  return stdout.trim();
}

/** Whether Rust came with the address sanitizer for its host. */
function hasSanitizer(host) {
  const libraries = join(rustc('--print', 'sysroot'), 'lib', 'rustlib', host, 'lib');
  return existsSync(libraries) && readdirSync(libraries).some((name) => name.endsWith('_rt.asan.a'));
}

/** Builds all targets of one crate; resolves with the folder of their binaries, or undefined after a failure. */
async function build(folder) {
  const host = /^host: (.+)$/m.exec(rustc('-vV'))[1];
  const isSanitized = hasSanitizer(host);
  if (!isSanitized) process.stdout.write('without the address sanitizer, which this Rust does not have\n');
  const flags = isSanitized ? [...COVERAGE_FLAGS, '-Zsanitizer=address'] : COVERAGE_FLAGS;
  const targetFolder = process.env.CARGO_TARGET_DIR ?? join(folder, 'target');
  // With a target named, Cargo keeps the flags from build scripts and macros.
  const command = ['cargo', 'build', '--release', '--target', host];
  const { code, text } = await run([...command, '--manifest-path', join(folder, 'Cargo.toml')], {
    output: 'capture',
    env: {
      CARGO_TARGET_DIR: targetFolder,
      CARGO_ENCODED_RUSTFLAGS: flags.join('\x1f'),
      ...(isSanitized && { RUSTC_BOOTSTRAP: '1' }),
    },
  });
  if (code !== 0) process.stdout.write(text);
  return code === 0 ? join(targetFolder, host, 'release') : undefined;
}

/** Runs one target for so long; resolves with whether it found nothing. */
async function fuzzTarget({ name, folder, library }, binaries, seconds, signal) {
  const [corpus, seeds, artifacts] = ['corpus', 'seeds', 'artifacts'].map((kind) => join(folder, kind, name));
  for (const path of [corpus, seeds, artifacts]) mkdirSync(path, { recursive: true });
  // An input that takes a minute counts as a failure too.
  const options = [
    `-max_total_time=${seconds}`,
    '-timeout=60',
    `-artifact_prefix=${artifacts}/`,
    '-print_final_stats=1',
  ];
  const child = spawn(join(binaries, name), [...options, corpus, seeds], {
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let tail = '';
  child.stderr.on('data', (chunk) => {
    tail = (tail + chunk).slice(-20_000);
  });
  const code = await new Promise((resolve) => {
    child.on('error', (error) => {
      tail += error.message;
      resolve(1);
    });
    child.on('close', (exitCode) => resolve(exitCode ?? 1));
  });
  const executions = /number_of_executed_units: *(\d+)/.exec(tail)?.[1];
  const edges = [...tail.matchAll(/cov: (\d+)/g)].at(-1)?.[1] ?? '?';
  const failed = code !== 0 || executions === undefined || executions === '0';
  if (failed) process.stdout.write(`${tail}\ninputs that fail lie in ${relative(ROOT, artifacts)}\n`);
  const count = Number(executions ?? 0).toLocaleString('en');
  process.stdout.write(
    `${library} ${name}: ${failed ? 'FAILED, ' : ''}${count} executions in ${seconds} s, ${edges} edges\n`,
  );
  return !failed;
}

/**
 * Builds and runs fuzz targets for so many seconds each, as many at once as there are processors; says for each how often
 * it was executed. Resolves with the count: a target is a test. Names none for all; throws Error for one that is not there.
 */
export async function fuzz({ seconds, names = [], signal }) {
  const known = everyTarget();
  const unknown = names.find((name) => known.every((target) => target.name !== name));
  if (unknown !== undefined) {
    throw new Error(`there is no fuzz target ${unknown}, but ${known.map(({ name }) => name).join(', ')}`);
  }
  const wanted = known.filter(({ name }) => names.length === 0 || names.includes(name));
  const missing = complaint();
  if (missing !== undefined) {
    process.stdout.write(`skipped: ${missing}\n`);
    return { ...NONE, skipped: wanted.length };
  }
  const jobs = [];
  for (const folder of new Set(wanted.map((target) => target.folder))) {
    const targets = wanted.filter((target) => target.folder === folder);
    const binaries = await build(folder);
    if (binaries === undefined) return { ...NONE, failed: wanted.length };
    jobs.push(...targets.map((target) => () => fuzzTarget(target, binaries, seconds, signal)));
  }
  const counts = [];
  const work = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const isFine = await job();
      counts.push({ ...NONE, passed: isFine ? 1 : 0, failed: isFine ? 0 : 1 });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return sum(counts);
}
