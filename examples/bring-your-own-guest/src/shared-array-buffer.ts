import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Guest, guestOver } from '@godwit/ports';
import { checkStamps, decodeSteps, encodeSteps, PAGE_BYTES, STAMP_OFFSET_BYTES, STATE_BYTES } from './stamping.ts';

/** A `SharedArrayBuffer` as a guest, with a thread that works in it and marks what it writes. Its register travels as state. */
export function sharedArrayBufferGuest(buffer: SharedArrayBuffer): Guest {
  const bytes = new Uint8Array(buffer);
  const pageCount = bytes.length / PAGE_BYTES;
  const marks = new Uint32Array(new SharedArrayBuffer(Math.ceil(pageCount / 64) * 8));
  const workerData = { buffer, marks, pageBytes: PAGE_BYTES, stampOffsetBytes: STAMP_OFFSET_BYTES };
  const thread = new Worker(new URL('./stamping-worker.mjs', import.meta.url), { workerData });
  let steps = 0;
  return guestOver({
    kind: 'shared-array-buffer',
    workload: 'stamping',
    bytes,
    pageSizeBytes: PAGE_BYTES,
    softwareMarks: marks,
    pause: async () => {
      thread.postMessage('park');
      [steps] = await once(thread, 'message');
    },
    resume: () => thread.postMessage(steps),
    stateBytesMax: STATE_BYTES,
    saveState: () => encodeSteps(steps),
    loadState: (state) => {
      steps = decodeSteps(state);
    },
    selfCheck: () => checkStamps(bytes, steps),
    close: () => thread.terminate(),
  });
}
