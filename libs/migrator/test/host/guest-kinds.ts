import { createDirtyTracker } from '@godwit/dirty-tracker';
import { arenaAvailability, createArenaGuest, restoreTarget as restoreArena } from '@godwit/guest-arena';
import { createKvmGuest, kvmAvailability, restoreTarget } from '@godwit/guest-kvm';
import { createPortableGuest, restorePortableGuest } from '@godwit/guest-portable';
import type { DirtyTracker, Guest, GuestDescription } from '@godwit/ports';

/** What a test asks of a guest of any kind. */
export interface GuestRequest {
  readonly memoryBytes: number;
  readonly residentBytes: number;
  readonly workload: 'idle' | 'l2fwd' | 'appmembench';
  readonly cablePath?: string;
}

/** How tests make guests of one kind. */
export interface GuestKind {
  readonly name: string;
  /** Why it cannot be made on this machine. */
  readonly missingBecause: string | undefined;
  create(request: GuestRequest): Promise<Guest>;
  /** The empty twin for a guest that arrives. */
  restore(description: GuestDescription, cablePath?: string): Promise<Guest>;
  tracker(guest: Guest): DirtyTracker;
}

const kvm = kvmAvailability();
const arena = arenaAvailability();

function workloadOf(name: GuestRequest['workload']) {
  return name === 'appmembench' ? { name, workingSetBytes: 8 << 20, pagesPerSecond: 200_000 } : { name };
}

export const KVM: GuestKind = {
  name: 'kvm',
  missingBecause: kvm.available ? undefined : kvm.reason,
  create: ({ workload, ...rest }) => createKvmGuest({ ...rest, workload: workloadOf(workload) }),
  restore: ({ config }, cablePath) => restoreTarget(config, cablePath === undefined ? {} : { cablePath }),
  tracker: (guest) => createDirtyTracker(guest.memory),
};

export const ARENA: GuestKind = {
  name: 'arena',
  missingBecause: arena.available ? undefined : arena.reason,
  create: ({ workload, ...rest }) => createArenaGuest({ ...rest, workload: workloadOf(workload) }),
  restore: ({ config }, cablePath) => restoreArena(config, cablePath === undefined ? {} : { cablePath }),
  tracker: (guest) => createDirtyTracker(guest.memory),
};

export const PORTABLE: GuestKind = {
  name: 'portable',
  missingBecause: undefined,
  create: ({ workload, memoryBytes, residentBytes }) => {
    if (workload === 'l2fwd') throw new TypeError('a portable guest has no network card');
    return createPortableGuest({
      memoryBytes,
      residentBytes,
      workload:
        workload === 'appmembench'
          ? { name: workload, workingSetBytes: 1 << 20, pagesPerSecond: 20_000 }
          : { name: workload },
    });
  },
  restore: ({ config }) => restorePortableGuest(config),
  tracker: (guest) => createDirtyTracker(guest.memory),
};

export const GUEST_KINDS: readonly GuestKind[] = [KVM, ARENA, PORTABLE];

export function guestKind(name: string): GuestKind {
  const kind = GUEST_KINDS.find((candidate) => candidate.name === name);
  if (kind === undefined) throw new TypeError(`no guest kind ${name}`);
  return kind;
}
