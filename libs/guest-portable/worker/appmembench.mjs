import { GuestProgram } from './guest-program.mjs';
import { nextRandom } from './page-content.mjs';

/** So many pages are written in one step, after which the thread looks whether it shall stop: some 50 µs. */
const STEP_PAGES = 64;
/** Whoever is later than this against his rate (a busy machine, a stop) does not catch up. */
const LATE_MS_MAX = 20;

/**
 * Writes a working set page by page. A page carries stamps (its index and how often it was written) in its first and last
 * word and in several between; a table of its own in guest memory says how often each page was written. Before a page is
 * written all of its stamps must agree with that table: a write that was lost or torn on the way shows there.
 *
 * @typedef {import('../src/portable-config.ts').AppmembenchWorkload} AppmembenchWorkload
 */
export class Appmembench extends GuestProgram {
  /**
   * @param {import('../src/worker-assignment.ts').WorkerAssignment} assignment
   * @param {AppmembenchWorkload} workload
   */
  constructor(assignment, workload) {
    super(assignment);
    this.workload = workload;
    this.words = new Uint32Array(assignment.memory);
    this.pageWords = assignment.pageSizeBytes / 4;
    /** Word offsets of the stamps in a page; each takes two words. */
    this.stampWords = [...Array(8).keys()].map((stamp) => (stamp * this.pageWords) / 8).concat(this.pageWords - 2);
    this.startMs = 0;
    this.startWrites = 0;
    this.iterationStartMs = 0;
  }

  /** @override */
  fill() {
    for (let index = 0; index < this.layout.workingSetPages; index++) this.writePage(index, 0);
    super.fill();
  }

  /** @override */
  begin() {
    super.begin();
    this.startMs = performance.now();
    this.startWrites = this.control.pageWrites;
    this.iterationStartMs = this.startMs;
  }

  /** @override */
  step() {
    const { pagesPerSecond } = this.workload;
    let pages = STEP_PAGES;
    if (pagesPerSecond > 0) {
      const nowMs = performance.now();
      const dueWrites = this.startWrites + ((nowMs - this.startMs) * pagesPerSecond) / 1000;
      const missing = Math.floor(dueWrites - this.control.pageWrites);
      if (missing <= 0) return ((this.control.pageWrites + 1 - dueWrites) * 1000) / pagesPerSecond;
      if ((missing * 1000) / pagesPerSecond > LATE_MS_MAX) {
        this.startMs = nowMs;
        this.startWrites = this.control.pageWrites;
      }
      pages = Math.min(missing, STEP_PAGES);
    }
    for (let written = 0; written < pages; written++) this.rewritePage(this.nextIndex());
    this.checkResidentPage();
    this.control.steps++;
    this.endStep();
    return 0;
  }

  nextIndex() {
    const { control, layout, workload } = this;
    if (workload.pattern === 'sweep') {
      const index = control.cursor % layout.workingSetPages;
      control.cursor = index + 1;
      return index;
    }
    control.random = nextRandom(control.random);
    const share = control.random / 2 ** 32;
    if (workload.pattern === 'random') return Math.floor(share * layout.workingSetPages);
    // Zipf with exponent 1, through the inverse of its continuous distribution: the page's index is its rank.
    return Math.floor((layout.workingSetPages + 1) ** share) - 1;
  }

  /** @param {number} index of a page of the working set */
  rewritePage(index) {
    const { control, layout } = this;
    const shadowWord = layout.shadowFirstPage * this.pageWords + index;
    const count = this.words[shadowWord] ?? 0;
    const page = layout.workingSetFirstPage + index;
    const first = page * this.pageWords;
    for (const offset of this.stampWords) {
      if (this.words[first + offset] !== stampOf(index) || this.words[first + offset + 1] !== count) {
        control.fail(page);
        break;
      }
    }
    control.checkedPages++;
    this.writePage(index, (count + 1) >>> 0);
    control.pageWrites++;
    if (control.pageWrites % layout.workingSetPages === 0) {
      const nowMs = performance.now();
      control.iterations++;
      control.iterationMicroseconds = Math.round((nowMs - this.iterationStartMs) * 1000);
      this.iterationStartMs = nowMs;
    }
  }

  /** @param {number} index @param {number} count */
  writePage(index, count) {
    const page = this.layout.workingSetFirstPage + index;
    const first = page * this.pageWords;
    if (this.workload.wholePages) {
      let state = (stampOf(index) ^ Math.imul(count, 0x85ebca6b)) | 1;
      for (let word = 0; word < this.pageWords; word++) {
        state = nextRandom(state);
        this.words[first + word] = state;
      }
    }
    for (const offset of this.stampWords) {
      this.words[first + offset] = stampOf(index);
      this.words[first + offset + 1] = count;
    }
    this.mark(page);
    const shadowPage = this.layout.shadowFirstPage + Math.floor(index / this.pageWords);
    this.words[this.layout.shadowFirstPage * this.pageWords + index] = count;
    this.mark(shadowPage);
  }
}

/**
 * Of a page that was never written nothing but zeros would be seen, so a stamp is never zero.
 * @param {number} index
 */
function stampOf(index) {
  return (index ^ 0x5bd1e995) >>> 0;
}
