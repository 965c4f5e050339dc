import type { KvmTracking } from '@godwit/guest-kvm';
import type { PortableGuestOptions } from '@godwit/guest-portable';
import { GodwitError, type Guest } from '@godwit/ports';
import type { WorkloadOptions } from './scenario.ts';

/** What is asked of a guest, whatever its kind. */
export interface GuestOptions {
  readonly memoryBytes: number;
  readonly residentBytes: number;
  readonly content: 'zero' | 'text' | 'code' | 'random' | 'mixed';
  readonly seed: number;
  readonly workload: WorkloadOptions;
  readonly vcpuCount: number;
}

/** What belongs to the host that a guest is made on. */
export interface GuestPlace {
  /** The cable to the outside world. */
  readonly cablePath?: string;
  /** Processors for the guest's own. */
  readonly cpus?: readonly number[];
  /** What will record the guest's writes, of a KVM guest. */
  readonly tracking?: KvmTracking;
}

/** A way to make guests. */
export interface GuestKind {
  /** Whether its guests have a network card. */
  readonly network: boolean;
  /** Whether its guests offer native capsules, and so are moved by the native pump. */
  readonly capsules: boolean;
  /** No guest of the kind has more memory. */
  readonly memoryBytesMax: number;
  /** Nothing, or why there can be none here. */
  missing(): Promise<string | undefined>;
  create(options: GuestOptions, place: GuestPlace): Promise<Guest>;
  /** The empty twin of a guest that will arrive. */
  restoreTarget(config: Readonly<Record<string, unknown>>, place: GuestPlace): Promise<Guest>;
}

const GIB = 2 ** 30;
const PAGE_BYTES = 4096;

/** The kinds of guest, best first: where one is missing the next is taken by those who leave the choice open. */
export const GUEST_KINDS: Readonly<Record<string, GuestKind>> = {
  kvm: {
    network: true,
    capsules: true,
    memoryBytesMax: 63 * GIB,
    missing: async () => {
      const { kvmAvailability } = await import('@godwit/guest-kvm');
      const { available, reason } = kvmAvailability();
      return available ? undefined : reason;
    },
    create: async (options, place) => (await import('@godwit/guest-kvm')).createKvmGuest({ ...options, ...place }),
    restoreTarget: async (config, place) => (await import('@godwit/guest-kvm')).restoreTarget(config, place),
  },
  arena: {
    network: true,
    capsules: true,
    memoryBytesMax: 63 * GIB,
    missing: async () => {
      const { arenaAvailability } = await import('@godwit/guest-arena');
      const { available, reason } = arenaAvailability();
      return available ? undefined : reason;
    },
    create: async (options, place) => (await import('@godwit/guest-arena')).createArenaGuest({ ...options, ...place }),
    restoreTarget: async (config, place) => (await import('@godwit/guest-arena')).restoreTarget(config, place),
  },
  portable: {
    network: false,
    capsules: false,
    memoryBytesMax: 4 * GIB,
    missing: async () => undefined,
    create: async (options) => (await import('@godwit/guest-portable')).createPortableGuest(portableOptions(options)),
    restoreTarget: async (config) => (await import('@godwit/guest-portable')).restorePortableGuest(config),
  },
};

function portableOptions({ workload, ...options }: GuestOptions): PortableGuestOptions {
  if (workload.name === 'l2fwd')
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'a portable guest has no network card');
  if (workload.name === 'idle') return { ...options, workload };
  const { name, workingSetBytes, bytesPerSecond, pagesPerSecond, pattern } = workload;
  const wholePages = bytesPerSecond !== undefined;
  const rate = wholePages ? Math.ceil(bytesPerSecond / PAGE_BYTES) : (pagesPerSecond ?? 0);
  return { ...options, workload: { name, workingSetBytes, pagesPerSecond: rate, wholePages, pattern } };
}
