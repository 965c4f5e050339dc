import { availableParallelism } from 'node:os';
import type { KvmTracking } from '@godwit/guest-kvm';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { GUEST_KINDS } from './guest-kinds.ts';
import { INJECTED_FAULTS } from './injected-faults.ts';
import { defaultPlacement, formatPlacement, type Placement, parsePlacement } from './placement.ts';
import {
  integerBetween,
  parseByteRate,
  parseBytes,
  parseCount,
  parseLink,
  parseMilliseconds,
  parsePacketRate,
} from './quantities.ts';
import { checkScenario, type Scenario, type WorkloadOptions } from './scenario.ts';
import { UsageError } from './usage-error.ts';

/** The options of a scenario as commander gives them. */
export interface ScenarioFlags {
  readonly guest: string;
  readonly memory: number;
  readonly resident?: number;
  readonly content: Scenario['guest']['content'];
  readonly workload?: WorkloadOptions['name'];
  readonly offered?: number;
  readonly workingSet?: number;
  readonly pageRate?: number;
  readonly dirtyRate?: number;
  readonly pattern?: 'sweep' | 'random' | 'zipf';
  readonly strategy: string;
  readonly order?: string;
  readonly chunk?: number;
  readonly tracking?: KvmTracking;
  readonly transport: string;
  readonly streams: number;
  /** Bytes a second, or no cap. */
  readonly link?: { readonly bytesPerSecond?: number };
  readonly delay: number;
  readonly xbzrle: 'on' | 'off';
  readonly xbzrleCache: number;
  readonly budgetTotal: number;
  readonly budgetDowntime: number;
  readonly runs: number;
  readonly repeats: number;
  readonly seed: number;
  readonly verify: boolean;
  readonly warm: boolean;
  readonly vcpus: number;
  readonly pin: Placement;
  readonly inject?: string;
}

/** Frames offered where a forwarder runs and nothing else is said. */
const OFFERED_FRAMES_PER_SECOND = 100_000;
const WORKING_SET_BYTES = 64 * 2 ** 20;
const RESIDENT_BYTES = 256 * 2 ** 20;

/** Adds the options of a scenario to a command. */
export function addScenarioOptions(command: Command): Command {
  const cores = availableParallelism();
  const pin = defaultPlacement(cores);
  return command
    .option('--guest <kind>', 'kind of guest: kvm, arena, portable', 'kvm')
    .addOption(
      new Option('--memory <bytes>', 'memory of the guest').argParser(reader(parseBytes)).default(8 * 2 ** 30, '8GiB'),
    )
    .option('--resident <bytes>', 'populated memory (default: 256MiB, or half of the memory)', reader(parseBytes))
    .addOption(
      choice('--content <kind>', 'what populated memory holds', ['zero', 'text', 'code', 'random', 'mixed'], 'random'),
    )
    .addOption(
      choice('--workload <name>', 'what the guest runs (default: l2fwd where it has a card)', [
        'idle',
        'l2fwd',
        'appmembench',
      ]),
    )
    .option(
      '--offered <rate>',
      'l2fwd: 64-byte frames a second over both ports (default: 100kpps)',
      reader(parsePacketRate),
    )
    .option(
      '--working-set <bytes>',
      'appmembench: memory that is written (default: 64MiB, or a quarter of the memory)',
      reader(parseBytes),
    )
    .option(
      '--page-rate <rate>',
      'appmembench: pages touched a second (default: as fast as it can)',
      reader(parseCount),
    )
    .option('--dirty-rate <rate>', 'appmembench: bytes written a second, whole pages', reader(parseByteRate))
    .addOption(choice('--pattern <name>', 'appmembench: order of writes (default: sweep)', ['sweep', 'random', 'zipf']))
    .option('--strategy <name>', 'pre-copy, stop-and-copy', 'pre-copy')
    .option('--order <name>', 'pre-copy: order of pages sent again: recency, priority, address (default: recency)')
    .option('--chunk <ms>', 'pre-copy: time between two looks at what was written again', reader(parseMilliseconds))
    .addOption(
      choice('--tracking <name>', 'kvm: what records writes (default: kvm-dirty-log)', [
        'kvm-dirty-log',
        'kvm-dirty-ring',
        'pagemap-scan',
      ]),
    )
    .option('--transport <name>', 'tcp, memory', 'tcp')
    .option('--streams <count>', 'connections; one, for now', reader(integerBetween(1, 16)), 1)
    .addOption(
      new Option('--link <rate>', "rate of the emulated link, or 'none'")
        .argParser(reader(readLink))
        .default(undefined, '10Gbps for tcp'),
    )
    .option('--delay <time>', 'latency of the emulated link; none, for now', reader(readDelay), 0)
    .addOption(choice('--xbzrle <switch>', 'send pages again as deltas', ['on', 'off'], 'off'))
    .addOption(
      new Option('--xbzrle-cache <bytes>', 'memory for what was sent last')
        .argParser(reader(parseBytes))
        .default(64 * 2 ** 20, '64MiB'),
    )
    .option('--budget-total <ms>', 'total migration time allowed', reader(parseMilliseconds), 2000)
    .option('--budget-downtime <ms>', 'downtime allowed', reader(parseMilliseconds), 10)
    .option('--runs <count>', 'repetitions', reader(integerBetween(1, 10_000)), 5)
    .option('--repeats <count>', 'how often a disturbed repetition is made again', reader(integerBetween(0, 100)), 3)
    .option('--seed <number>', 'of content and patterns', reader(integerBetween(0, Number.MAX_SAFE_INTEGER)), 1)
    .option('--verify', 'compare every page on arrival', true)
    .option('--no-verify', 'do not compare pages on arrival')
    .option('--vcpus <count>', 'virtual processors', reader(integerBetween(1, 16)), 1)
    .addOption(
      new Option('--pin <placement>', "processors of vcpu, wire, source, destination: vcpu=0,wire=1; or 'none'")
        .argParser(reader((text) => parsePlacement(text, cores)))
        .default(pin, formatPlacement(pin)),
    )
    .option('--inject <fault>', `a defect on purpose: ${Object.keys(INJECTED_FAULTS).join(', ')}`)
    .option('--no-warm', 'do not touch and free memory right before each run');
}

/**
 * The scenario that the options describe.
 * @throws UsageError for options that do not go together, or that nothing is behind yet
 */
export function scenarioFrom(flags: ScenarioFlags): Scenario {
  if (flags.streams !== 1) throw new UsageError('--streams: one stream is all there is');
  if (flags.delay !== 0) throw new UsageError('--delay: links have no emulated latency yet');
  const { transport } = flags;
  const workload = workloadFrom(flags);
  const defaultLink = transport === 'tcp' ? parseLink('10Gbps') : undefined;
  return checkScenario({
    guestKind: flags.guest,
    guest: {
      memoryBytes: flags.memory,
      residentBytes: flags.resident ?? atMost(RESIDENT_BYTES, flags.memory / 2),
      content: flags.content,
      seed: flags.seed,
      workload,
      vcpuCount: flags.vcpus,
    },
    offeredFramesPerSecond: workload.name === 'l2fwd' ? (flags.offered ?? OFFERED_FRAMES_PER_SECOND) : 0,
    strategy: flags.strategy,
    ...(flags.order !== undefined && { order: flags.order }),
    ...(flags.chunk !== undefined && { chunkMs: flags.chunk }),
    ...(flags.tracking !== undefined && { tracking: flags.tracking }),
    transport,
    linkBytesPerSecond: flags.link === undefined ? defaultLink : flags.link.bytesPerSecond,
    xbzrle: flags.xbzrle === 'on',
    xbzrleCacheBytes: flags.xbzrleCache,
    budget: { totalMs: flags.budgetTotal, downtimeMs: flags.budgetDowntime },
    runs: flags.runs,
    repeatsMax: flags.repeats,
    verify: flags.verify,
    ...(flags.inject !== undefined && { injectedFault: flags.inject }),
    warm: flags.warm,
    placement: flags.pin,
  });
}

function workloadFrom(flags: ScenarioFlags): WorkloadOptions {
  const { offered, workingSet, pageRate, dirtyRate, pattern } = flags;
  const workload = flags.workload ?? (GUEST_KINDS[flags.guest]?.network === false ? 'idle' : 'l2fwd');
  if (workload !== 'l2fwd' && offered !== undefined) throw new UsageError(`--offered: ${workload} forwards no frames`);
  if (workload === 'l2fwd' && offered === 0) throw new UsageError('--offered: a forwarder needs frames');
  if (workload !== 'appmembench') {
    for (const [option, value] of Object.entries({
      'working-set': workingSet,
      'page-rate': pageRate,
      'dirty-rate': dirtyRate,
      pattern,
    })) {
      if (value !== undefined) throw new UsageError(`--${option}: only appmembench writes a working set`);
    }
    return { name: workload };
  }
  if (pageRate !== undefined && dirtyRate !== undefined) {
    throw new UsageError('--page-rate and --dirty-rate: the rate is one or the other');
  }
  return {
    name: workload,
    workingSetBytes: workingSet ?? atMost(WORKING_SET_BYTES, flags.memory / 4),
    ...(pageRate !== undefined && { pagesPerSecond: pageRate }),
    ...(dirtyRate !== undefined && { bytesPerSecond: dirtyRate }),
    pattern: pattern ?? 'sweep',
  };
}

/** A default that fits, in whole pages. */
function atMost(bytes: number, limitBytes: number): number {
  return Math.min(bytes, limitBytes - (limitBytes % 4096));
}

function readLink(text: string): NonNullable<ScenarioFlags['link']> {
  const bytesPerSecond = parseLink(text);
  return bytesPerSecond === undefined ? {} : { bytesPerSecond };
}

function readDelay(text: string): number {
  return /^0(ms)?$/.test(text) ? 0 : parseMilliseconds(text);
}

function choice(flags: string, description: string, choices: readonly string[], byDefault?: string): Option {
  const option = new Option(flags, description).choices(choices);
  return byDefault === undefined ? option : option.default(byDefault);
}

/** Makes a reader of quantities one of option values. */
export function reader<Value>(parse: (text: string) => Value): (text: string) => Value {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}
