import { type DirtyTracker, GodwitError, type PageBitmap } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { type DirtyTrackerFixture, dirtyTrackerCases, dirtyTrackerSuite } from '../src/dirty-tracker-suite.ts';
import { setPage } from '../src/plain-bitmap.ts';

const PAGE_COUNT = 130;

/** The ways in which a twin is broken; none is the sound one. */
type Flaw =
  | 'none'
  | 'forgets one page'
  | 'loses one write of very many'
  | 'reports a neighbour too'
  | 'never forgets'
  | 'clears the bitmap of the caller'
  | 'counts wrongly'
  | 'reports what was written before the start'
  | 'records while stopped'
  | 'collects before the start'
  | 'takes any bitmap'
  | 'works after close'
  | 'sees contents, not writes'
  | 'clears the marks too late'
  | 'forgets what nobody took';

class Twin implements DirtyTracker {
  readonly name = 'twin';
  readonly backend = 'typescript';
  readonly pageCount = PAGE_COUNT;
  readonly values = new Uint32Array(PAGE_COUNT);
  readonly #flaw: Flaw;
  readonly #written = new Set<number>();
  #writes = 0;
  readonly #seen = new Uint32Array(PAGE_COUNT);
  #state: 'stopped' | 'started' | 'closed' = 'stopped';

  constructor(flaw: Flaw) {
    this.#flaw = flaw;
  }

  write(page: number, value: number): void {
    this.values[page] = value;
    if (this.#flaw === 'forgets one page' && page === 64) return;
    if (this.#flaw === 'loses one write of very many' && ++this.#writes === 1234) return;
    this.#written.add(page);
    if (this.#flaw === 'reports a neighbour too' && page === 40) this.#written.add(41);
  }

  async start(): Promise<void> {
    this.#checkOpen();
    if (this.#flaw === 'records while stopped' ? this.#state === 'started' : !this.#flaw.includes('before the start')) {
      this.#written.clear();
    }
    if (this.#flaw === 'collects before the start') this.#written.clear();
    this.#seen.set(this.values);
    this.#state = 'started';
  }

  async collect(into: PageBitmap): Promise<number> {
    this.#checkOpen();
    if (this.#state !== 'started' && this.#flaw !== 'collects before the start') {
      throw new GodwitError('ERR_GODWIT_NOT_TRACKING');
    }
    if (into.pageCount !== PAGE_COUNT && this.#flaw !== 'takes any bitmap') throw new RangeError('another memory');
    if (this.#flaw === 'clears the bitmap of the caller') into.words.fill(0);
    let pages = [...this.#written];
    if (this.#flaw === 'sees contents, not writes') pages = pages.filter((p) => this.values[p] !== this.#seen[p]);
    this.#seen.set(this.values);
    if (this.#flaw === 'forgets what nobody took') {
      this.#written.clear();
      await new Promise((resolve) => setImmediate(resolve));
      if (into.words.length === 0) throw new TypeError('gone');
    }
    for (const page of pages) setPage(into, page);
    // Whatever a writer marks in this turn of the event loop is thrown away unseen.
    if (this.#flaw === 'clears the marks too late') await new Promise((resolve) => setImmediate(resolve));
    if (this.#flaw !== 'never forgets') this.#written.clear();
    return pages.length + (this.#flaw === 'counts wrongly' && pages.length > 1 ? 1 : 0);
  }

  async stop(): Promise<void> {
    if (this.#state !== 'closed') this.#state = 'stopped';
  }

  async close(): Promise<void> {
    this.#state = 'closed';
  }

  #checkOpen(): void {
    if (this.#state === 'closed' && this.#flaw !== 'works after close') throw new GodwitError('ERR_GODWIT_CLOSED');
  }
}

function fixture(flaw: Flaw): DirtyTrackerFixture {
  const tracker = new Twin(flaw);
  return {
    tracker,
    stressMs: 150,
    write: (page, value) => tracker.write(page, value),
    read: (page) => tracker.values[page] ?? 0,
    async startWriters() {
      let value = 0;
      let written = 0;
      let running = true;
      const turn = (): void => {
        if (!running) return;
        // Each page once a round, so that no write hides another.
        for (let index = 0; index < 20 && written < PAGE_COUNT; index++, written++) {
          tracker.write((value * 37) % PAGE_COUNT, ++value);
        }
        setImmediate(turn);
      };
      turn();
      return {
        async stop() {
          running = false;
        },
        nextRound() {
          written = 0;
        },
        writeCount: () => value,
      };
    },
  };
}

dirtyTrackerSuite('sound twin', () => fixture('none'));

describe('the dirty tracker suite', () => {
  const caught: readonly [Flaw, string][] = [
    ['forgets one page', 'reports exactly the pages written since the start'],
    ['reports a neighbour too', 'reports what was written, round after round'],
    ['never forgets', 'forgets what it has reported'],
    ['clears the bitmap of the caller', 'adds to the bitmap and counts only what this call reports'],
    ['counts wrongly', 'reports exactly the pages written since the start'],
    ['reports what was written before the start', 'reports exactly the pages written since the start'],
    ['records while stopped', 'collects only between start and stop, and starts afresh'],
    ['collects before the start', 'collects only between start and stop, and starts afresh'],
    ['takes any bitmap', 'refuses a bitmap over another number of pages'],
    ['works after close', 'closes once and for all'],
    ['sees contents, not writes', 'lets no copy go stale by a write that restores an earlier content'],
    ['clears the marks too late', 'loses no write of concurrent writers'],
    ['clears the marks too late', 'loses none of very many writes of concurrent writers'],
    ['loses one write of very many', 'loses none of very many writes of concurrent writers'],
    ['forgets what nobody took', 'keeps what it fetched for a bitmap that is gone'],
  ];
  it.each(caught)('catches a tracker that %s', async (flaw, name) => {
    expect(await failingCases(dirtyTrackerCases, () => fixture(flaw))).toContain(name);
  });
});
