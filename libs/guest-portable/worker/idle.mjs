import { GuestProgram } from './guest-program.mjs';

/**
 * Does next to nothing: a heartbeat, with each beat a look at one resident page.
 *
 * @typedef {import('../src/portable-config.ts').IdleWorkload} IdleWorkload
 */
export class Idle extends GuestProgram {
  /**
   * @param {import('../src/worker-assignment.ts').WorkerAssignment} assignment
   * @param {IdleWorkload} workload
   */
  constructor(assignment, workload) {
    super(assignment);
    this.beatMs = workload.beatMicroseconds / 1000;
  }

  /** @override */
  step() {
    this.checkResidentPage();
    this.control.steps++;
    this.endStep();
    return this.beatMs;
  }
}
