// A thread that writes pages of a shared memory at random until it is told to stop.
import { parentPort, workerData } from 'node:worker_threads';

const { memory, marks, stopping, pageBytes, seed } = workerData;
const values = new Uint32Array(memory);
const marked = marks === undefined ? undefined : new Uint32Array(marks);
const stop = new Int32Array(stopping);
const pageCount = memory.byteLength / pageBytes;
let random = seed;
let announced = false;
while (Atomics.load(stop, 0) === 0) {
  for (let writes = 0; writes < 200; writes++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    const page = (random >>> 8) % pageCount;
    Atomics.add(values, (page * pageBytes) / 4, 1);
    if (marked !== undefined) Atomics.or(marked, page >>> 5, 1 << (page & 31));
  }
  if (!announced) parentPort.postMessage('writing');
  announced = true;
}
