// A thread that writes a shared memory, until it is told to stop, in rounds that others begin: in each a random half of the
// pages, each once, in an order of its own.
import { parentPort, workerData } from 'node:worker_threads';

const { memory, marks, control, completed, pageBytes, seed } = workerData;
const values = new Uint32Array(memory);
const marked = marks === undefined ? undefined : new Uint32Array(marks);
// How often each page was written and marked.
const completedWrites = new Uint32Array(completed);
// Whether to stop, and the number of the round.
const [STOP, ROUND] = [0, 1];
const state = new Int32Array(control, 0, 2);
const writeCounts = new BigUint64Array(control, 8);
const pageCount = memory.byteLength / pageBytes;
let random = seed;
const next = () => {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return random;
};
let announced = false;
while (Atomics.load(state, STOP) === 0) {
  const round = Atomics.load(state, ROUND);
  const start = next() % pageCount;
  let writes = 0;
  for (let index = 0; index < pageCount; index++) {
    if (next() >= 2 ** 31) continue;
    // A prime above the number of pages: every page once.
    const page = (start + index * 1_000_003) % pageCount;
    Atomics.add(values, (page * pageBytes) / 4, 1);
    if (marked !== undefined) Atomics.or(marked, page >>> 5, 1 << (page & 31));
    Atomics.add(completedWrites, page, 1);
    writes++;
    if (Atomics.load(state, ROUND) !== round) break;
  }
  Atomics.add(writeCounts, 0, BigInt(writes));
  if (!announced) parentPort.postMessage('writing');
  announced = true;
  // Nobody may be beginning rounds: then it goes on by itself, a little later.
  if (Atomics.load(state, STOP) === 0) Atomics.wait(state, ROUND, round, 5);
}
