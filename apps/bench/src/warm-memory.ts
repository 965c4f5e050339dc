import { GUEST_KINDS } from './guest-kinds.ts';
import { HostProcess } from './host-process.ts';
import { movedBytes, type Scenario } from './scenario.ts';

/** Beyond the guest's own pages, for whatever else both sides touch. */
const EXTRA_BYTES = 256 * 2 ** 20;
const BLOCK_BYTES = 2 * 2 ** 20;
/** What a guest keeps for its programs and tables; memory that nobody touches costs nothing. */
const PROGRAM_BYTES = 64 * 2 ** 20;

/** Memory of this machine that was touched and is held until `release` gives it back. */
export interface WarmMemory {
  readonly heldBytes: number;
  /** Gives it back; resolves when the kernel has it. Idempotent. */
  release(): Promise<void>;
}

/**
 * Has a process touch as much memory as the scenario's guest will need at its destination, and hold it. Under a hypervisor
 * with free-page reporting, memory that was free for more than about a second is with the hypervisor's host, and its next
 * first touch costs 10 to 20 times the usual: a destination that populates such memory measures the hypervisor. Released
 * right before a migration, the memory is what that destination gets. It is held by a guest of the same kind, which never
 * runs, because the kernel hands out again what it got back where it is asked for in the same way.
 */
export async function warmMemory(scenario: Scenario): Promise<WarmMemory> {
  const { guest, guestKind, placement } = scenario;
  const memoryBytesMax = GUEST_KINDS[guestKind]?.memoryBytesMax ?? guest.memoryBytes;
  const neededBytes = Math.min(movedBytes(scenario) * 1.25 + EXTRA_BYTES, memoryBytesMax - PROGRAM_BYTES);
  const residentBytes = Math.ceil(neededBytes / BLOCK_BYTES) * BLOCK_BYTES;
  const holder = await HostProcess.spawn('holder of warm memory', placement.destination);
  try {
    const options = {
      ...guest,
      memoryBytes: Math.max(guest.memoryBytes, residentBytes + PROGRAM_BYTES),
      residentBytes,
      content: 'random',
      workload: { name: 'idle' },
    } as const;
    const held = await holder.request('fill', { kind: guestKind, options });
    return { heldBytes: held.residentBytes, release: () => holder.close() };
  } catch (error) {
    await holder.close();
    throw error;
  }
}
