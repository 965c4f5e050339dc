import { createDirtyTracker } from '@godwit/dirty-tracker';
import { createKvmGuest, kvmAvailability, restoreTarget } from '@godwit/guest-kvm';
import type { DirtyTracker, Guest, GuestDescription, Transport } from '@godwit/ports';
import { tcp } from '@godwit/transport-tcp';
import { native } from '../src/native.ts';
import { SimpleGuest } from './simple-guest.ts';

/** A small guest and a transport that make a pump of one kind. */
export interface PumpKind {
  readonly name: 'native' | 'typescript';
  /** Why it cannot be had on this machine. */
  readonly missingBecause: string | undefined;
  /** Of the arrival digest. */
  readonly digest: string;
  readonly transport: Transport;
  /** Runs already. */
  create(): Promise<Guest>;
  restore(description: GuestDescription): Promise<Guest>;
  tracker(guest: Guest): DirtyTracker;
}

const kvm = kvmAvailability();

export const PUMP_KINDS: readonly PumpKind[] = [
  {
    name: 'typescript',
    missingBecause: undefined,
    digest: 'xxh64',
    transport: tcp({ backend: 'typescript' }),
    create: async () => {
      const guest = new SimpleGuest();
      await guest.resume();
      return guest;
    },
    restore: async (description) => SimpleGuest.restore(description),
    tracker: (guest) => createDirtyTracker(guest.memory),
  },
  {
    name: 'native',
    missingBecause: native.missingBecause ?? (kvm.available ? undefined : kvm.reason),
    digest: 'xxh3-64',
    transport: tcp(),
    create: async () => {
      const guest = await createKvmGuest({
        memoryBytes: 64 << 20,
        residentBytes: 2 << 20,
        workload: { name: 'idle', beatMicroseconds: 100 },
      });
      await guest.resume();
      return guest;
    },
    restore: ({ config }) => restoreTarget(config),
    tracker: (guest) => createDirtyTracker(guest.memory),
  },
];

/** The title of tests over a kind. */
export function titleOf(what: string, { name, missingBecause }: PumpKind): string {
  return `${what}, ${name} pump${missingBecause === undefined ? '' : ` (skipped: ${missingBecause})`}`;
}

/** The guest runs, makes progress, and has found no fault in its memory. */
export async function progress(guest: Guest): Promise<void> {
  if (!guest.running) throw new Error('the guest does not run');
  const before = await guest.selfCheck();
  let now = before;
  while (now.checkedCount <= before.checkedCount) {
    await new Promise((resolve) => setImmediate(resolve));
    now = await guest.selfCheck();
  }
  if (!now.ok) throw new Error(`the guest is damaged: ${now.detail}`);
}
