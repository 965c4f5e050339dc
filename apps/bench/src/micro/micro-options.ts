import { availableParallelism } from 'node:os';
import { Argument, type Command } from 'commander';
import { integerBetween } from '../quantities.ts';
import { reader } from '../scenario-options.ts';
import { defaultProcessor } from './measuring-thread.ts';
import { ISAS, MICRO_NAMES } from './micro-names.ts';

/** Adds `micro` to a command line, without its action. */
export function defineMicroCommand(program: Command): Command {
  return program
    .command('micro')
    .description("measure the scanner, the codec, the dirty tracker and page sets beside the machine's own limits")
    .addArgument(new Argument('[name]', 'one benchmark and not all').choices(MICRO_NAMES))
    .option('--isa <names>', `instruction sets, of ${ISAS.join(', ')} (default: all that are here)`, reader(parseIsas))
    .option('--svg <file>', 'draw a figure')
    .option('--quick', 'seconds instead of minutes: few samples of little memory')
    .option(
      '--pin <processor>',
      "keep the measuring thread on a processor; 'none' leaves it to the scheduler",
      reader(parseProcessor),
      defaultProcessor() ?? 'none',
    )
    .addHelpText('after', EXIT_CODES_HELP);
}

const EXIT_CODES_HELP = `
Exit codes: 0 every must was met, 1 not (or a measured result was wrong), 2 wrong usage,
3 the machine lacks what was asked for: an instruction set or a native build, 130 interrupted.`;

/** @throws RangeError for a name that is none */
function parseIsas(text: string): readonly string[] {
  const isas = text.split(',').map((name) => name.trim());
  const unknown = isas.find((isa) => !ISAS.includes(isa));
  if (unknown !== undefined) {
    throw new RangeError(`'${unknown}' is no instruction set; there are ${ISAS.join(', ')}`);
  }
  return isas;
}

/** @throws RangeError for a processor that the machine does not have */
function parseProcessor(text: string): number | 'none' {
  return text === 'none' ? text : integerBetween(0, availableParallelism() - 1)(text);
}
