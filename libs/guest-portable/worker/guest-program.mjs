import { ControlBlock } from './control-block.mjs';
import { fillPage } from './page-content.mjs';

/**
 * What all programs have in common: memory whose writes are marked, the control block, and the check of the resident
 * pages.
 *
 * @typedef {import('../src/worker-assignment.ts').WorkerAssignment} WorkerAssignment
 */
export class GuestProgram {
  /** @param {WorkerAssignment} assignment */
  constructor(assignment) {
    this.layout = assignment.layout;
    this.content = assignment.content;
    this.seed = assignment.seed;
    this.pageSizeBytes = assignment.pageSizeBytes;
    this.bytes = new Uint8Array(assignment.memory);
    this.marks = new Uint32Array(assignment.marks);
    this.control = new ControlBlock(assignment);
    this.expectedPage = new Uint8Array(assignment.pageSizeBytes);
  }

  /**
   * Says that a page was written: after the write, never before it, or a collector that comes in between would take the
   * mark and read the old page. Whoever sees the mark sees the write.
   * @param {number} page
   */
  mark(page) {
    Atomics.or(this.marks, page >>> 5, 1 << (page & 31));
  }

  /** Writes all that a fresh guest starts from. */
  fill() {
    const { residentFirstPage, residentPages } = this.layout;
    if (this.content !== 'zero') {
      for (let page = residentFirstPage; page < residentFirstPage + residentPages; page++) {
        fillPage(this.pageBytes(page), this.content, this.seed, page);
        this.mark(page);
      }
    }
    this.control.random = this.seed === 0 ? 1 : this.seed;
    this.endStep();
  }

  /** The program runs (on): memory may be another than when it stopped. */
  begin() {
    this.control.load();
  }

  /**
   * Does a bounded piece of work and returns how many milliseconds there is nothing to do.
   * @returns {number}
   */
  step() {
    throw new Error('a program has steps');
  }

  endStep() {
    this.control.store();
    this.mark(0);
  }

  /** Compares the next resident page with what was written there when the guest was made. */
  checkResidentPage() {
    const { residentFirstPage, residentPages } = this.layout;
    if (residentPages === 0) return;
    const page = residentFirstPage + (this.control.checkCursor % residentPages);
    this.control.checkCursor = (this.control.checkCursor + 1) % residentPages;
    fillPage(this.expectedPage, this.content, this.seed, page);
    if (Buffer.compare(this.pageBytes(page), this.expectedPage) !== 0) this.control.fail(page);
    this.control.checkedPages++;
  }

  /** @param {number} page */
  pageBytes(page) {
    return this.bytes.subarray(page * this.pageSizeBytes, (page + 1) * this.pageSizeBytes);
  }
}
