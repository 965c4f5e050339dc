import { type Guest, guestOver } from '@godwit/ports';
import { checkStamps, decodeSteps, encodeSteps, PAGE_BYTES, STATE_BYTES, type StampingProgram } from './stamping.ts';

/**
 * Somebody's own mapping as a guest: here the memory of a WebAssembly program; a `Buffer` over what an addon mapped is
 * the same. The program runs on this thread, so it stands still when `stop` returns. Nobody marks what it writes: a
 * tracker compares.
 */
export function ownMappingGuest(program: StampingProgram): Guest {
  return guestOver({
    kind: 'own-mapping',
    workload: 'stamping',
    bytes: program.memory,
    pageSizeBytes: PAGE_BYTES,
    pause: () => program.stop(),
    resume: () => program.start(),
    stateBytesMax: STATE_BYTES,
    saveState: () => encodeSteps(program.steps),
    loadState: (state) => {
      program.steps = decodeSteps(state);
    },
    selfCheck: () => checkStamps(program.memory, program.steps),
  });
}
