/**
 * Runs the Rust tests as a 64-bit Arm processor would, NEON kernel included: `npm run test:aarch64 -w @godwit/zeropage-simd`.
 *
 * On another processor that takes Rust's standard library for aarch64-unknown-linux-gnu (of rustup, or Debian's
 * libstd-rust-web-dev:arm64), aarch64-linux-gnu-gcc and qemu-aarch64. Cargo's own variables say where they are, if they
 * are elsewhere: RUSTC, CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER and _RUNNER. Exits with 3 where something is missing.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { arch } from 'node:os';

const TARGET = 'aarch64-unknown-linux-gnu';
const VARIABLE = 'CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_';
const SYSROOT = '/usr/aarch64-linux-gnu';
const EXIT_MISSING = 3;

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function hasStandardLibrary() {
  const { status, stdout } = spawnSync(process.env.RUSTC ?? 'rustc', ['--print', 'target-libdir', '--target', TARGET]);
  if (status !== 0) return false;
  try {
    return readdirSync(stdout.toString().trim()).some((file) => file.startsWith('libstd-'));
  } catch {
    return false;
  }
}

function missing(what) {
  console.error(`The NEON kernel was not tested: ${what}.`);
  process.exit(EXIT_MISSING);
}

const environment = { ...process.env };
if (arch() !== 'arm64') {
  if (!hasStandardLibrary()) missing(`this Rust has no standard library for ${TARGET}`);
  environment[`${VARIABLE}LINKER`] ??= 'aarch64-linux-gnu-gcc';
  if (!runs(environment[`${VARIABLE}LINKER`])) missing(`${environment[`${VARIABLE}LINKER`]} is not installed`);
  if (environment[`${VARIABLE}RUNNER`] === undefined) {
    const emulator = ['qemu-aarch64', 'qemu-aarch64-static'].find(runs);
    if (emulator === undefined) missing('qemu-aarch64 is not installed');
    environment[`${VARIABLE}RUNNER`] = `${emulator} -L ${SYSROOT}`;
  }
}
const { status } = spawnSync('cargo', ['test', '-p', 'godwit-zeropage-simd', '--target', TARGET], {
  stdio: 'inherit',
  env: environment,
});
process.exit(status ?? 1);
