import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, exitCodeOfError } from './exit-code.ts';
import { listenForInterruption } from './interruption.ts';
import { type MainOptions, mainCommand } from './main-command.ts';
import type { MicroFlags } from './micro/micro-command.ts';
import type { MicroName } from './micro/micro-names.ts';
import { defineMicroCommand } from './micro/micro-options.ts';
import { migrateCommand } from './migrate-command.ts';
import type { OrderFlags } from './order/order-command.ts';
import type { OutputOptions } from './output.ts';
import { integerBetween } from './quantities.ts';
import { addScenarioOptions, reader, type ScenarioFlags, scenarioFrom } from './scenario-options.ts';

/** Runs the command line; resolves to the exit code. Messages go to standard error. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  using interruption = listenForInterruption();
  const { signal } = interruption;
  let code: number = EXIT.met;
  const program = new Command('godwit-bench')
    .description('Migrates running guests under load and holds the migration to a budget.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(--help says what there is)')
    .addHelpText('after', EXIT_CODES_HELP);
  const migrate = program
    .command('migrate')
    .description('migrate one guest under load, several times')
    .addHelpText('after', EXIT_CODES_HELP);
  addOutputOptions(addScenarioOptions(migrate)).action(async (flags: ScenarioFlags & OutputOptions) => {
    code = await migrateCommand(scenarioFrom(flags), flags, signal);
  });
  addOutputOptions(program.command('main'))
    .description('the main job: an 8 GiB forwarding guest within 2,000 ms and 10 ms; then the same guest idle')
    .option('--runs <count>', 'repetitions', reader(integerBetween(1, 10_000)), 5)
    .option('--no-warm', 'do not touch and free memory right before each run')
    .action(async (options: MainOptions) => {
      code = await mainCommand(options, signal);
    });
  addOutputOptions(defineMicroCommand(program)).action(async (name: MicroName | undefined, flags: MicroFlags) => {
    // Loads much that a migration does not need.
    const { microCommand } = await import('./micro/micro-command.ts');
    code = await microCommand(name, flags, signal);
  });
  addOutputOptions(program.command('order'))
    .description('pages sent again with each order, under simulated guests that write at random, by Zipf, in a sweep')
    .option('--seeds <count>', 'guests of each kind', reader(integerBetween(1, 1000)), 3)
    .action(async (flags: OrderFlags) => {
      const { orderCommand } = await import('./order/order-command.ts');
      code = await orderCommand(flags, signal);
    });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed its message already, and calls help and version errors as well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.met : EXIT.usage;
    const message = signal.aborted ? 'interrupted' : error instanceof Error ? error.message : String(error);
    process.stderr.write(`\ngodwit-bench: ${message}\n`);
    return exitCodeOfError(error, signal.aborted);
  }
}

const EXIT_CODES_HELP = `
Exit codes: 0 the budget was met and memory verified in every undisturbed run, 1 not, 2 wrong usage,
3 the machine lacks what was asked for, 130 interrupted.`;

function addOutputOptions(command: Command): Command {
  return command
    .option('--json <file>', "write the report to a file; '-' is standard output, without a table")
    .option('--quiet', 'no progress on standard error');
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
