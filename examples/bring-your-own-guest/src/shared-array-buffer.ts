import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PageSet } from '@godwit/page-set';
import { GodwitError, type Guest } from '@godwit/ports';
import { checkStamps, decodeSteps, encodeSteps, PAGE_BYTES, STAMP_OFFSET_BYTES, STATE_BYTES } from './stamping.ts';

/** A `SharedArrayBuffer` as a guest, with a thread that works in it and marks what it writes. Its register travels as state. */
export function sharedArrayBufferGuest(buffer: SharedArrayBuffer): Guest {
  const [kind, pageSizeBytes, pageCount] = ['shared-array-buffer', PAGE_BYTES, buffer.byteLength / PAGE_BYTES];
  const bytes = new Uint8Array(buffer);
  const softwareMarks = new Uint32Array(new SharedArrayBuffer(Math.ceil(pageCount / 64) * 8));
  const present: Guest['memory']['present'] = async (into) => PageSet.of(into).addRun(0, pageCount).count();
  const workerData = { buffer, marks: softwareMarks, pageBytes: PAGE_BYTES, stampOffsetBytes: STAMP_OFFSET_BYTES };
  const thread = new Worker(new URL('./stamping-worker.mjs', import.meta.url), { workerData });
  let [steps, running, closed] = [0, false, false];
  const checkOpen = (): void => {
    if (closed) throw new GodwitError('ERR_GODWIT_CLOSED');
  };
  const pause = async (): Promise<void> => {
    if (running) thread.postMessage('park');
    if (running) [steps] = await once(thread, 'message');
    running = false;
  };
  const resume = async (): Promise<void> => {
    checkOpen();
    if (!running) thread.postMessage(steps);
    running = true;
  };
  const close = async (): Promise<void> => {
    await thread.terminate();
    [running, closed] = [false, true];
  };
  return {
    kind,
    backend: 'typescript',
    memory: { pageSizeBytes, pageCount, bytes, softwareMarks, present },
    stateBytesMax: STATE_BYTES,
    get running() {
      return running;
    },
    describe: () => ({ kind, memoryBytes: bytes.length, pageSizeBytes, workload: 'stamping', config: {} }),
    pause,
    resume,
    saveState: async () => {
      checkOpen();
      return encodeSteps(steps);
    },
    loadState: async (state) => {
      steps = decodeSteps(state);
    },
    announce: async () => {},
    selfCheck: async () => {
      const ran = running;
      await pause();
      const check = checkStamps(bytes, steps);
      if (ran) await resume();
      return check;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
