/**
 * The first page of a guest, as 64-bit words: all that a program remembers besides its data. The thread works on numbers
 * of its own while it runs and writes them back at the end of each step, when others may read them.
 *
 * @typedef {import('../src/worker-assignment.ts').WorkerAssignment} WorkerAssignment
 */
export class ControlBlock {
  /** @param {WorkerAssignment} assignment */
  constructor(assignment) {
    this.words = new BigInt64Array(assignment.memory, 0, assignment.pageSizeBytes / 8);
    this.at = assignment.controlWords;
    this.magic = assignment.magic;
    this.program = assignment.program;
    this.steps = 0;
    this.checkedPages = 0;
    this.errorCount = 0;
    /** The page of the newest error, plus 1. */
    this.errorPage = 0;
    this.pageWrites = 0;
    this.iterations = 0;
    this.iterationMicroseconds = 0;
    /** How far the sweep over the working set is. */
    this.cursor = 0;
    /** How far the check of the resident pages is. */
    this.checkCursor = 0;
    this.random = 0;
  }

  /** @param {number} word */
  #read(word) {
    return Number(Atomics.load(this.words, word));
  }

  /** @param {number} word @param {number} value */
  #write(word, value) {
    Atomics.store(this.words, word, BigInt(value));
  }

  /** Takes over what memory says: after a start, and after memory came from elsewhere. */
  load() {
    const { at } = this;
    this.steps = this.#read(at.steps);
    this.checkedPages = this.#read(at.checkedPages);
    this.errorCount = this.#read(at.errorCount);
    this.errorPage = this.#read(at.errorPage);
    this.pageWrites = this.#read(at.pageWrites);
    this.iterations = this.#read(at.iterations);
    this.iterationMicroseconds = this.#read(at.iterationMicroseconds);
    this.cursor = this.#read(at.cursor);
    this.checkCursor = this.#read(at.checkCursor);
    this.random = this.#read(at.random);
    // A page of which one half is old has two step counts.
    if (this.#read(at.stepsAgain) !== this.steps) this.fail(0);
  }

  store() {
    const { at } = this;
    Atomics.store(this.words, at.magic, this.magic);
    this.#write(at.program, this.program);
    this.#write(at.steps, this.steps);
    this.#write(at.checkedPages, this.checkedPages);
    this.#write(at.errorCount, this.errorCount);
    this.#write(at.errorPage, this.errorPage);
    this.#write(at.pageWrites, this.pageWrites);
    this.#write(at.iterations, this.iterations);
    this.#write(at.iterationMicroseconds, this.iterationMicroseconds);
    this.#write(at.cursor, this.cursor);
    this.#write(at.checkCursor, this.checkCursor);
    this.#write(at.random, this.random);
    this.#write(at.stepsAgain, this.steps);
  }

  /** @param {number} page where something was not as the program had left it */
  fail(page) {
    this.errorCount++;
    this.errorPage = page + 1;
  }
}
