// A stranger's thread over shared memory. It is told the step to go on from, or 'park', which it answers with the step it
// has reached; from the answer on it writes nothing.
import { parentPort, workerData } from 'node:worker_threads';

const { buffer, marks, pageBytes, stampOffsetBytes } = workerData;
const view = new DataView(buffer);
const pageCount = buffer.byteLength / pageBytes;
let steps = 0;
let timer;

function step() {
  steps += 1;
  const page = steps % pageCount;
  view.setUint32(page * pageBytes + stampOffsetBytes, steps, true);
  // After the write: a mark set before it could be taken, and the page be read, too early.
  Atomics.or(marks, page >>> 5, 1 << (page & 31));
}

parentPort.on('message', (order) => {
  clearInterval(timer);
  if (order === 'park') return parentPort.postMessage(steps);
  steps = order;
  timer = setInterval(() => {
    for (let count = 0; count < 16; count++) step();
  }, 1);
});
