import type { Guest } from '@godwit/ports';
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
}

/** A way to make guests. */
export interface GuestKind {
  /** Whether its guests have a network card. */
  readonly network: boolean;
  /** Nothing, or why there can be none here. */
  missing(): Promise<string | undefined>;
  create(options: GuestOptions, place: GuestPlace): Promise<Guest>;
  /** The empty twin of a guest that will arrive. */
  restoreTarget(config: Readonly<Record<string, unknown>>, place: GuestPlace): Promise<Guest>;
}

/** The kinds of guest, best first: where one is missing the next is taken by those who leave the choice open. */
export const GUEST_KINDS: Readonly<Record<string, GuestKind>> = {
  kvm: {
    network: true,
    missing: async () => {
      const { kvmAvailability } = await import('@godwit/guest-kvm');
      const { available, reason } = kvmAvailability();
      return available ? undefined : reason;
    },
    create: async (options, place) => (await import('@godwit/guest-kvm')).createKvmGuest({ ...options, ...place }),
    restoreTarget: async (config, place) => (await import('@godwit/guest-kvm')).restoreTarget(config, place),
  },
};
