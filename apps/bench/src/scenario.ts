import type { KvmTracking } from '@godwit/guest-kvm';
import type { Budget } from '@godwit/ports';
import { GUEST_KINDS, type GuestOptions } from './guest-kinds.ts';
import { INJECTED_FAULTS } from './injected-faults.ts';
import { PAGE_ORDERS } from './order/page-orders.ts';
import type { Placement } from './placement.ts';
import { formatBytes } from './quantities.ts';
import { STRATEGIES } from './strategies.ts';
import { TRANSPORTS } from './transports.ts';
import { UsageError } from './usage-error.ts';

/** What the guest runs, with its rates; the names are those of every kind of guest. */
export type WorkloadOptions =
  | { readonly name: 'idle' }
  | { readonly name: 'l2fwd' }
  | {
      readonly name: 'appmembench';
      readonly workingSetBytes: number;
      readonly pagesPerSecond?: number;
      readonly bytesPerSecond?: number;
      readonly pattern: 'sweep' | 'random' | 'zipf';
    };

/** One thing to measure, with nothing left open. */
export interface Scenario {
  readonly guestKind: string;
  readonly guest: GuestOptions;
  /** 64-byte frames a second over both of the guest's ports; 0 where it has no card or forwards nothing. */
  readonly offeredFramesPerSecond: number;
  readonly strategy: string;
  /** In which order a strategy that sends rounds sends pages again; its own choice if not said. */
  readonly order?: string;
  /** For how long it sends at a time before it asks what was written again. */
  readonly chunkMs?: number;
  /** What records the writes of a KVM guest; the best there is if not said. */
  readonly tracking?: KvmTracking;
  readonly transport: string;
  /** The rate of the emulated link; undefined: as fast as it goes. */
  readonly linkBytesPerSecond: number | undefined;
  readonly xbzrle: boolean;
  readonly xbzrleCacheBytes: number;
  readonly budget: Budget;
  /** Repetitions. */
  readonly runs: number;
  /** How often a repetition that the machine disturbed is made again. */
  readonly repeatsMax: number;
  readonly verify: boolean;
  readonly warm: boolean;
  readonly placement: Placement;
  /** A defect on purpose, by its name. */
  readonly injectedFault?: string;
}

/**
 * Looks whether the parts of a scenario exist and fit together.
 * @throws UsageError
 */
export function checkScenario(scenario: Scenario): Scenario {
  const { guestKind, guest, strategy, transport, linkBytesPerSecond } = scenario;
  oneOf('--guest', guestKind, GUEST_KINDS);
  oneOf('--strategy', strategy, STRATEGIES);
  oneOf('--transport', transport, TRANSPORTS);
  if (scenario.order !== undefined) oneOf('--order', scenario.order, PAGE_ORDERS);
  if (strategy !== 'pre-copy' && (scenario.order ?? scenario.chunkMs) !== undefined) {
    throw new UsageError(`--order and --chunk: ${strategy} sends no rounds`);
  }
  if (scenario.tracking !== undefined && guestKind !== 'kvm') {
    throw new UsageError(`--tracking: a guest of kind ${guestKind} has one way only`);
  }
  if (scenario.injectedFault !== undefined) oneOf('--inject', scenario.injectedFault, INJECTED_FAULTS);
  const memoryBytesMax = GUEST_KINDS[guestKind]?.memoryBytesMax ?? 0;
  if (guest.memoryBytes > memoryBytesMax) {
    throw new UsageError(`a guest of kind ${guestKind} has at most ${formatBytes(memoryBytesMax)}: --memory`);
  }
  if (guest.residentBytes > guest.memoryBytes) throw new UsageError('--resident is more than --memory');
  if (guest.workload.name === 'appmembench' && guest.workload.workingSetBytes > guest.memoryBytes) {
    throw new UsageError('--working-set is more than --memory');
  }
  if (guest.workload.name === 'l2fwd' && GUEST_KINDS[guestKind]?.network === false) {
    throw new UsageError(`a guest of kind ${guestKind} has no network card: it runs idle or appmembench`);
  }
  if (linkBytesPerSecond !== undefined && TRANSPORTS[transport]?.capped === false) {
    throw new UsageError(`the transport ${transport} has no rate: --link none`);
  }
  return scenario;
}

/** Pages the run will populate at the destination, about. */
export function movedBytes({ guest }: Pick<Scenario, 'guest'>): number {
  const workingSetBytes = guest.workload.name === 'appmembench' ? guest.workload.workingSetBytes : 0;
  return Math.max(guest.residentBytes, workingSetBytes);
}

function oneOf(option: string, name: string, known: Readonly<Record<string, unknown>>): void {
  if (!Object.hasOwn(known, name)) {
    throw new UsageError(`${option} ${name} is not there; there is ${Object.keys(known).join(', ')}`);
  }
}
