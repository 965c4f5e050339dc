import { PageSet } from '@godwit/page-set';
import { GodwitError, type Guest } from '@godwit/ports';
import { checkStamps, decodeSteps, encodeSteps, PAGE_BYTES, STATE_BYTES, type StampingProgram } from './stamping.ts';

/**
 * Somebody's own mapping as a guest: here the memory of a WebAssembly program; a `Buffer` over what an addon mapped is
 * the same. The program runs on this thread, so it stands still when `stop` returns. Nobody marks what it writes: a
 * tracker compares.
 */
export function ownMappingGuest(program: StampingProgram): Guest {
  const { memory: bytes } = program;
  const [kind, pageSizeBytes, pageCount] = ['own-mapping', PAGE_BYTES, bytes.length / PAGE_BYTES];
  const present: Guest['memory']['present'] = async (into) => PageSet.of(into).addRun(0, pageCount).count();
  let closed = false;
  const checkOpen = (): void => {
    if (closed) throw new GodwitError('ERR_GODWIT_CLOSED');
  };
  const close = async (): Promise<void> => {
    program.stop();
    closed = true;
  };
  return {
    kind,
    backend: 'typescript',
    memory: { pageSizeBytes, pageCount, bytes, present },
    stateBytesMax: STATE_BYTES,
    get running() {
      return program.running;
    },
    describe: () => ({ kind, memoryBytes: bytes.length, pageSizeBytes, workload: 'stamping', config: {} }),
    pause: async () => program.stop(),
    resume: async () => {
      checkOpen();
      program.start();
    },
    saveState: async () => {
      checkOpen();
      return encodeSteps(program.steps);
    },
    loadState: async (state) => {
      program.steps = decodeSteps(state);
    },
    announce: async () => {},
    selfCheck: async () => checkStamps(bytes, program.steps),
    close,
    [Symbol.asyncDispose]: close,
  };
}
