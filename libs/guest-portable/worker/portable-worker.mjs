/**
 * The processor of a portable guest: a thread that runs a program step by step and stands still between two steps where it
 * is told to. Plain JavaScript, because a thread is started from a file and not every Node.js runs TypeScript.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Appmembench } from './appmembench.mjs';
import { Idle } from './idle.mjs';

/** @typedef {import('../src/worker-assignment.ts').WorkerAssignment} WorkerAssignment */

/** @type {WorkerAssignment} */
const assignment = workerData;
const { orders, states, switchWords } = assignment;
const signals = new Int32Array(assignment.signals);

/** @param {number} state */
function tell(state) {
  Atomics.store(signals, switchWords.state, state);
  Atomics.notify(signals, switchWords.state);
  parentPort?.postMessage(state);
}

/** Returns when the order is to run. */
function standStill() {
  tell(states.parked);
  // Compares and sleeps in one: an order given in between is not slept through.
  while (Atomics.load(signals, switchWords.order) === orders.park) {
    Atomics.wait(signals, switchWords.order, orders.park);
  }
}

const { workload } = assignment;
const program = workload.name === 'idle' ? new Idle(assignment, workload) : new Appmembench(assignment, workload);
if (assignment.fresh) program.fill();
for (;;) {
  standStill();
  tell(states.running);
  program.begin();
  while (Atomics.load(signals, switchWords.order) === orders.run) {
    const idleMs = program.step();
    if (idleMs > 0) Atomics.wait(signals, switchWords.order, orders.run, idleMs);
  }
}
