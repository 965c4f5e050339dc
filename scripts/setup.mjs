import { installed, npm, run } from './command.mjs';
import { isInstalled } from './installation.mjs';
import { nativeComplaint, nodeComplaint } from './prerequisites.mjs';

// No daemon: a one-off command leaves nothing running behind it.
const NX_ENVIRONMENT = { NX_DAEMON: 'false', NX_TUI: 'false' };

function say(text) {
  process.stderr.write(`${text}\n`);
}

/** The setup could not be completed; its message is for the user. */
export class SetupFailure extends Error {}

/** Runs one step of the setup: a line before and after, its output only when it fails. Throws {@link SetupFailure}. */
async function step(name, command, env) {
  say(`${name} ...`);
  const startedMs = performance.now();
  const { code, text } = await run(command, { output: 'capture', env });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (code === 0) return say(`${name}: done in ${seconds} s`);
  process.stderr.write(text);
  throw new SetupFailure(`${name}: failed with exit code ${code} after ${seconds} s`);
}

/** A target of every package that has it, by nx, which skips what has not changed. */
export function everyPackage(target, ...options) {
  return installed('nx', 'nx', 'run-many', '-t', target, '--outputStyle=static', ...options);
}

/**
 * Installs what is missing, builds the native parts where the machine can, and the TypeScript. Resolves with whether
 * the native parts were built. Throws {@link SetupFailure}.
 */
export async function setUp() {
  const complaint = nodeComplaint();
  if (complaint !== undefined) throw new SetupFailure(complaint);
  const missing = nativeComplaint();
  if (missing !== undefined) say(missing);
  if (!isInstalled()) await step('Installing packages', npm('ci', '--no-audit', '--no-fund'));
  // One after the other: they share Cargo's lock, and each uses every core.
  if (missing === undefined) {
    await step('Building the native parts', everyPackage('build:native', '--parallel=1'), NX_ENVIRONMENT);
  }
  await step('Building the packages', everyPackage('build', '--parallel=2'), NX_ENVIRONMENT);
  return missing === undefined;
}
