import { type DirtyTracker, isGodwitError } from '@godwit/ports';
import { expect } from 'vitest';
import { type Fixture, type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { bitmapOf, emptyBitmap, hasPage, pagesOf } from './plain-bitmap.ts';
import { SeededBytes } from './seeded-bytes.ts';

/** A tracker over a memory that the suite can write. At least 100 pages. */
export interface DirtyTrackerFixture extends Fixture {
  readonly tracker: DirtyTracker;
  /** Stores a 32-bit value into a page, by a writer that the tracker claims to see. */
  write(page: number, value: number): void | Promise<void>;
  /** The value of a page as a migration reads it that copies what was reported. */
  read(page: number): number | Promise<number>;
  /** The value of a page as it is now, if that is not what `read` gives. */
  peek?(page: number): number | Promise<number>;
  /**
   * Starts writers in other threads, which write pages at random until they are stopped. The value of a page grows with
   * each of their writes.
   */
  startWriters?(): Promise<DirtyTrackerWriters>;
  /** How long writers are watched for lost writes. Default: `GODWIT_STRESS_SECONDS`, or one second. */
  readonly stressMs?: number;
}

/** Writers that write until they are stopped. */
export interface DirtyTrackerWriters {
  stop(): Promise<void>;
  /**
   * A collection is done: from now on pages may be written again. Writers that wait for it write a random half of the pages
   * between two calls, each page once. A lost write is then seen with a probability of at least one half, as nothing
   * written later hides it; so of a tracker that loses one write in a billion a run of n billion writes misses it with at
   * most 2^-n.
   */
  nextRound?(): void;
  /**
   * The value of each page as of its last write that is complete: whoever marks what it writes has done so. Where it is
   * missing the pages are read.
   */
  completed?(): Uint32Array;
  /** How often they have written, if they know. */
  writeCount?(): number;
}

type Case = ContractCase<DirtyTrackerFixture>;

async function collected({ tracker }: DirtyTrackerFixture): Promise<number[]> {
  const into = emptyBitmap(tracker.pageCount);
  const count = await tracker.collect(into);
  const pages = pagesOf(into);
  expect(count, 'the count is the number of pages reported').toBe(pages.length);
  return pages;
}

async function writeAll({ write }: DirtyTrackerFixture, pages: Iterable<number>, value: number): Promise<void> {
  for (const page of pages) await write(page, value);
}

/** What a destination holds that copies each page when it is reported. */
async function copyPages(fixture: DirtyTrackerFixture, pages: Iterable<number>, copy: Uint32Array): Promise<void> {
  for (const page of pages) {
    const value = fixture.read(page);
    copy[page] = typeof value === 'number' ? value : await value;
  }
}

async function expectCopyIsMemory(fixture: DirtyTrackerFixture, copy: Uint32Array): Promise<void> {
  const stale: number[] = [];
  for (let page = 0; page < copy.length; page++) {
    const value = await (fixture.peek ?? fixture.read)(page);
    if (value >>> 0 !== copy[page]) stale.push(page);
  }
  expect(stale, 'pages that were written and not reported').toEqual([]);
}

function stressMs({ stressMs: wanted }: DirtyTrackerFixture): number {
  return wanted ?? 1000 * Number(process.env.GODWIT_STRESS_SECONDS ?? 1);
}

/** The values of all pages, of which no write is under way. */
async function completed(fixture: DirtyTrackerFixture, writers: DirtyTrackerWriters): Promise<Uint32Array> {
  if (writers.completed !== undefined) return writers.completed();
  const values = new Uint32Array(fixture.tracker.pageCount);
  for (const page of values.keys()) {
    const value = (fixture.peek ?? fixture.read)(page);
    values[page] = typeof value === 'number' ? value : await value;
  }
  return values;
}

async function expectCode(work: Promise<unknown>, code: Parameters<typeof isGodwitError>[1]): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isGodwitError(error, code), `rejects with ${code}, not with ${String(error)}`).toBe(true);
}

const cases: readonly Case[] = [
  {
    name: 'names itself, its backend and the pages it covers',
    async run({ tracker }) {
      expect(tracker.name).toMatch(/^[a-z-]+$/);
      expect(['native', 'typescript']).toContain(tracker.backend);
      expect(tracker.pageCount).toBeGreaterThanOrEqual(100);
    },
  },
  {
    name: 'reports exactly the pages written since the start',
    async run(fixture) {
      const last = fixture.tracker.pageCount - 1;
      await writeAll(fixture, [0, 2, 40, 64], 1);
      await fixture.tracker.start();
      expect(await collected(fixture)).toEqual([]);
      const pages = [0, 1, 31, 32, 63, 64, 65, last];
      await writeAll(fixture, pages, 2);
      expect(await collected(fixture)).toEqual(pages);
    },
  },
  {
    name: 'forgets what it has reported',
    async run(fixture) {
      await fixture.tracker.start();
      await writeAll(fixture, [3, 77], 1);
      expect(await collected(fixture)).toEqual([3, 77]);
      expect(await collected(fixture)).toEqual([]);
      await fixture.write(77, 2);
      expect(await collected(fixture)).toEqual([77]);
    },
  },
  {
    name: 'reports a page once, however often it was written',
    async run(fixture) {
      await fixture.tracker.start();
      for (let value = 1; value <= 10; value++) await fixture.write(50, value);
      expect(await collected(fixture)).toEqual([50]);
    },
  },
  {
    name: 'reports all pages when all were written',
    async run(fixture) {
      const all = Array.from({ length: fixture.tracker.pageCount }, (_, page) => page);
      await fixture.tracker.start();
      for (const value of [1, 2]) {
        await writeAll(fixture, all, value);
        expect(await collected(fixture)).toEqual(all);
      }
    },
  },
  {
    name: 'adds to the bitmap and counts only what this call reports',
    async run(fixture) {
      const { tracker } = fixture;
      await tracker.start();
      await writeAll(fixture, [33, 34], 1);
      const into = bitmapOf(tracker.pageCount, [2, 33, 99]);
      expect(await tracker.collect(into)).toBe(2);
      expect(pagesOf(into)).toEqual([2, 33, 34, 99]);
    },
  },
  {
    name: 'reports what was written, round after round',
    async run(fixture) {
      const { pageCount } = fixture.tracker;
      const random = new SeededBytes(20);
      await fixture.tracker.start();
      for (let round = 1; round <= 40; round++) {
        const pages = new Set<number>();
        const writes = random.below(pageCount);
        for (let index = 0; index < writes; index++) pages.add(random.below(pageCount));
        await writeAll(fixture, pages, round);
        expect(await collected(fixture)).toEqual([...pages].sort((a, b) => a - b));
      }
    },
  },
  {
    name: 'lets no copy go stale by a write that restores an earlier content',
    async run(fixture) {
      const copy = new Uint32Array(fixture.tracker.pageCount);
      await fixture.write(9, 1);
      await fixture.tracker.start();
      await copyPages(fixture, copy.keys(), copy);
      await fixture.write(9, 2);
      await copyPages(fixture, [9], copy);
      await fixture.write(9, 1);
      await copyPages(fixture, await collected(fixture), copy);
      await expectCopyIsMemory(fixture, copy);
    },
  },
  {
    name: 'loses no write of concurrent writers',
    async run(fixture) {
      if (fixture.startWriters === undefined) return;
      const copy = new Uint32Array(fixture.tracker.pageCount);
      const writers = await fixture.startWriters();
      try {
        await fixture.tracker.start();
        await copyPages(fixture, copy.keys(), copy);
        let reported = 0;
        for (let round = 0; round < 50 || reported === 0; round++) {
          const pages = await collected(fixture);
          await copyPages(fixture, pages, copy);
          reported += pages.length;
          // A turn of the event loop, on which a writer in this thread would depend.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        await writers.stop();
      }
      await copyPages(fixture, await collected(fixture), copy);
      await expectCopyIsMemory(fixture, copy);
    },
  },
  {
    // A page that a collection does not report was not written between the copy made of it and the beginning of that
    // collection. So every page is looked at before every collection: a lost write shows in that collection or in the next,
    // unless its page was written once more and reported before.
    name: 'loses none of very many writes of concurrent writers',
    async run(fixture) {
      if (fixture.startWriters === undefined) return;
      const { tracker } = fixture;
      const copy = new Uint32Array(tracker.pageCount);
      const lost: string[] = [];
      const writers = await fixture.startWriters();
      let [collections, reported] = [0, 0];
      try {
        await tracker.start();
        await copyPages(fixture, copy.keys(), copy);
        const endMs = performance.now() + stressMs(fixture);
        // At an uneven pace: at once, so that writes and collections meet, and later, so that there are many writes.
        for (; performance.now() < endMs && lost.length === 0; collections++) {
          for (let turns = collections % 4 === 0 ? 10 : 1; turns > 0; turns--) {
            await new Promise((resolve) => setImmediate(resolve));
          }
          const before = await completed(fixture, writers);
          const into = emptyBitmap(tracker.pageCount);
          reported += await tracker.collect(into);
          await copyPages(fixture, pagesOf(into), copy);
          before.forEach((value, page) => {
            if (value > (copy[page] ?? 0) && !hasPage(into, page))
              lost.push(`page ${page} in collection ${collections}`);
          });
          writers.nextRound?.();
        }
      } finally {
        await writers.stop();
      }
      await copyPages(fixture, await collected(fixture), copy);
      const writes = writers.writeCount?.();
      console.log(
        `${tracker.name}: ${writes === undefined ? 'uncounted' : writes.toLocaleString('en')} writes, ${reported} pages ` +
          `reported by ${collections} collections, ${lost.length} lost`,
      );
      expect(lost, 'writes that were not reported').toEqual([]);
      await expectCopyIsMemory(fixture, copy);
      expect(reported).toBeGreaterThan(0);
    },
  },
  {
    name: 'collects only between start and stop, and starts afresh',
    async run(fixture) {
      const { tracker } = fixture;
      await expectCode(tracker.collect(emptyBitmap(tracker.pageCount)), 'ERR_GODWIT_NOT_TRACKING');
      await tracker.start();
      await fixture.write(5, 1);
      await tracker.stop();
      await tracker.stop();
      await expectCode(tracker.collect(emptyBitmap(tracker.pageCount)), 'ERR_GODWIT_NOT_TRACKING');
      await fixture.write(6, 1);
      await tracker.start();
      expect(await collected(fixture)).toEqual([]);
      await fixture.write(7, 1);
      expect(await collected(fixture)).toEqual([7]);
      await fixture.write(8, 1);
      await tracker.start();
      expect(await collected(fixture)).toEqual([]);
    },
  },
  {
    name: 'keeps what it fetched for a bitmap that is gone',
    async run(fixture) {
      const { tracker } = fixture;
      await tracker.start();
      await writeAll(fixture, [4, 90], 1);
      const gone = emptyBitmap(tracker.pageCount);
      const collection = tracker.collect(gone).then(
        () => 'delivered',
        () => 'kept',
      );
      structuredClone(gone.words.buffer, { transfer: [gone.words.buffer as ArrayBuffer] });
      // Delivered before the buffer was gone, or not at all.
      const pages = await collected(fixture);
      expect(pages, `the first collection's pages were ${await collection}`).toEqual(
        (await collection) === 'kept' ? [4, 90] : [],
      );
    },
  },
  {
    name: 'refuses a bitmap over another number of pages',
    async run({ tracker }) {
      await tracker.start();
      await expect(tracker.collect(emptyBitmap(tracker.pageCount + 64))).rejects.toBeInstanceOf(RangeError);
      await expect(tracker.collect(emptyBitmap(tracker.pageCount - 64))).rejects.toBeInstanceOf(RangeError);
    },
  },
  {
    name: 'closes once and for all',
    async run({ tracker }) {
      await tracker.start();
      await tracker.close();
      await tracker.close();
      await tracker.stop();
      await expectCode(tracker.start(), 'ERR_GODWIT_CLOSED');
      await expectCode(tracker.collect(emptyBitmap(tracker.pageCount)), 'ERR_GODWIT_CLOSED');
    },
  },
];

/** What every `DirtyTracker` must do. */
export const dirtyTrackerCases: readonly Case[] = cases;

/** Registers `dirtyTrackerCases` over a fixture made anew for each. */
export function dirtyTrackerSuite(name: string, make: FixtureMaker<DirtyTrackerFixture>): void {
  registerCases(`dirty tracker ${name}`, dirtyTrackerCases, make);
}
