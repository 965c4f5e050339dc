import { PageSet } from '@godwit/page-set';
import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createPortableGuest,
  type PortableGuest,
  type PortableGuestOptions,
  restorePortableGuest,
} from '../src/index.ts';
import { bytesOf, copyPages, moveLive, pageOf, takeMarks, until } from './copied-memory.ts';

const MIB = 2 ** 20;
const writer: PortableGuestOptions = {
  memoryBytes: 32 * MIB,
  residentBytes: 8 * MIB,
  seed: 7,
  workload: { name: 'appmembench', workingSetBytes: 4 * MIB },
};
const idle: PortableGuestOptions = {
  memoryBytes: 16 * MIB,
  residentBytes: MIB,
  content: 'mixed',
  workload: { name: 'idle', beatMicroseconds: 20 },
};
/** Of the control block: how far the sweep is. */
const CURSOR_WORD = 9;
const WRITER_SHADOW_PAGE = 1;
const WRITER_FIRST_PAGE = 2;

const guests: PortableGuest[] = [];
afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.close();
});

async function fresh(options: PortableGuestOptions): Promise<PortableGuest> {
  const guest = await createPortableGuest(options);
  guests.push(guest);
  return guest;
}

async function emptyTwin(guest: PortableGuest): Promise<PortableGuest> {
  const twin = await restorePortableGuest(JSON.parse(JSON.stringify(guest.describe().config)));
  guests.push(twin);
  return twin;
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isGodwitError(error) ? error.code : error),
  );

describe('a portable guest', () => {
  it.each(['sweep', 'random', 'zipf'] as const)('writes its working set: %s', async (pattern) => {
    const guest = await fresh({ ...writer, workload: { name: 'appmembench', workingSetBytes: 4 * MIB, pattern } });
    takeMarks(guest);
    await guest.resume();
    await until(guest, ({ iterations }) => iterations >= 3);
    await guest.pause();
    const { errorCount, checkedPages, pageWrites } = guest.counters();
    expect(errorCount).toBe(0);
    expect(checkedPages).toBeGreaterThan(pageWrites);
    const marked = takeMarks(guest);
    const working = PageSet.empty(guest.memory.pageCount).addRun(0, WRITER_FIRST_PAGE + 1024);
    expect(marked.clone().subtract(working).isEmpty()).toBe(true);
    if (pattern === 'sweep') expect(marked.equals(working)).toBe(true);
  });

  it('fills what it was asked for, and populates nothing else', async () => {
    for (const content of ['text', 'code', 'random'] as const) {
      const guest = await fresh({ ...idle, content });
      const present = PageSet.empty(guest.memory.pageCount);
      expect(await guest.memory.present(present)).toBe(256);
      expect([...present.runs()]).toEqual([{ firstPage: 0, pageCount: 256 }]);
      expect(Buffer.compare(pageOf(guest, 5), pageOf(guest, 6))).not.toBe(0);
    }
    const zeros = await fresh({ ...idle, content: 'zero' });
    expect(await zeros.memory.present(PageSet.empty(zeros.memory.pageCount))).toBe(1);
    const empty = await emptyTwin(zeros);
    expect(await empty.memory.present(PageSet.empty(empty.memory.pageCount))).toBe(0);
  });

  it('keeps to its rate', async () => {
    const guest = await fresh({
      ...writer,
      workload: { name: 'appmembench', workingSetBytes: MIB, pagesPerSecond: 20_000, wholePages: true },
    });
    const startMs = performance.now();
    await guest.resume();
    await until(guest, ({ pageWrites }) => pageWrites >= 1_000);
    await guest.pause();
    const passedMs = performance.now() - startMs;
    expect(guest.counters().pageWrites).toBeLessThanOrEqual(passedMs * 20 + 1);
    expect(guest.counters().errorCount).toBe(0);
  });

  it('writes nothing while it is paused', async () => {
    const guest = await fresh(writer);
    for (let cycle = 0; cycle < 20; cycle++) {
      const { steps } = guest.counters();
      await guest.resume();
      await until(guest, (counters) => counters.steps > steps);
      await guest.pause();
      takeMarks(guest);
      const before = Buffer.from(bytesOf(guest.memory));
      for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      expect(before.equals(bytesOf(guest.memory))).toBe(true);
      expect(takeMarks(guest).isEmpty()).toBe(true);
    }
  });

  it('hears every order of a storm', async () => {
    const guest = await fresh(idle);
    for (let cycle = 0; cycle < 500; cycle++) {
      await guest.resume();
      expect(guest.running).toBe(true);
      await guest.pause();
      expect(guest.running).toBe(false);
    }
    const orders: Promise<void>[] = [];
    for (let cycle = 0; cycle < 100; cycle++) orders.push(guest.resume(), guest.resume(), guest.pause(), guest.pause());
    await Promise.all(orders);
    const { steps } = guest.counters();
    await guest.resume();
    await until(guest, (counters) => counters.steps > steps);
    expect((await guest.selfCheck()).ok).toBe(true);
  });
});

describe('a portable guest on the move', () => {
  it.each([
    ['appmembench', writer],
    ['idle', idle],
  ])('goes on in a second guest and back, byte for byte: %s', async (_name, options) => {
    let source = await fresh(options);
    await source.resume();
    for (let hop = 0; hop < 4; hop++) {
      const { steps } = source.counters();
      await until(source, (counters) => counters.steps > steps + 20);
      const target = await emptyTwin(source);
      await moveLive(source, target);
      expect(Buffer.compare(bytesOf(source.memory), bytesOf(target.memory))).toBe(0);
      const stopped = source.counters();
      await target.resume();
      await until(target, (counters) => counters.steps > stopped.steps + 20);
      expect(await target.selfCheck()).toMatchObject({ ok: true, errorCount: 0 });
      expect(target.counters().checkedPages).toBeGreaterThan(stopped.checkedPages);
      source = target;
    }
  });

  /** Moves a writer, spoils memory on arrival with what it was earlier, and tells whether the program noticed. */
  async function noticed(
    options: PortableGuestOptions,
    spoil: (target: PortableGuest, old: PortableGuest) => void,
    checks = 4_000,
  ): Promise<number> {
    const source = await fresh(options);
    const old = await emptyTwin(source);
    await source.resume();
    await until(source, ({ steps }) => steps > 50);
    await source.pause();
    copyPages(source, old, PageSet.full(source.memory.pageCount));
    await source.resume();
    await until(source, ({ steps }) => steps > old.counters().steps + 50);
    const target = await emptyTwin(source);
    await moveLive(source, target);
    spoil(target, old);
    await target.resume();
    const { checkedPages } = target.counters();
    await until(target, (counters) => counters.checkedPages > checkedPages + checks);
    const check = await target.selfCheck();
    expect(check.ok).toBe(check.errorCount === 0);
    return check.errorCount;
  }

  it('notices nothing where nothing is spoilt', async () => {
    expect(await noticed(writer, () => {})).toBe(0);
    expect(await noticed(idle, () => {})).toBe(0);
  });

  it('notices a page that was lost', async () => {
    const lost = WRITER_FIRST_PAGE + 77;
    expect(await noticed(writer, (target, old) => pageOf(target, lost).set(pageOf(old, lost)))).toBe(1);
  });

  it('notices a torn page, whichever half is old', async () => {
    const torn = WRITER_FIRST_PAGE + 500;
    for (const [from, to] of [
      [0, 2048],
      [2048, 4096],
      [4088, 4096],
    ]) {
      const errors = noticed(writer, (target, old) =>
        pageOf(target, torn).subarray(from, to).set(pageOf(old, torn).subarray(from, to)),
      );
      expect(await errors).toBe(1);
    }
  });

  it('notices that its own table is old', async () => {
    const errors = noticed(writer, (target, old) =>
      pageOf(target, WRITER_SHADOW_PAGE).set(pageOf(old, WRITER_SHADOW_PAGE)),
    );
    expect(await errors).toBeGreaterThan(0);
  });

  it('notices an old and a torn control block', async () => {
    for (const options of [writer, idle]) {
      expect(await noticed(options, (target, old) => pageOf(target, 0).set(pageOf(old, 0)))).toBeGreaterThan(0);
      const errors = noticed(options, (target, old) =>
        pageOf(target, 0).subarray(2048).set(pageOf(old, 0).subarray(2048)),
      );
      expect(await errors).toBeGreaterThan(0);
    }
  });

  it('notices resident pages that did not arrive whole', async () => {
    expect(await noticed(idle, (target) => pageOf(target, 40).fill(0, 4_095))).toBeGreaterThan(0);
    // A batch of 64 writes looks at one resident page of 1,022.
    const errors = noticed(writer, (target) => pageOf(target, WRITER_FIRST_PAGE + 1_025).fill(0), 65 * 1_100);
    expect(await errors).toBeGreaterThan(0);
  });
});

describe('what a portable guest refuses', () => {
  it('state of another size, guest or version, and damaged state', async () => {
    const source = await fresh(idle);
    const state = await source.saveState();
    const target = await emptyTwin(source);
    const refusals = [
      new Uint8Array(0),
      state.subarray(1),
      Uint8Array.of(...state, 0),
      await (await fresh(writer)).saveState(),
      await (await fresh({ ...idle, memoryBytes: 32 * MIB })).saveState(),
    ];
    await fc.assert(
      fc.asyncProperty(fc.nat(state.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = state.slice();
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        expect(await codeOf(target.loadState(damaged))).toBe('ERR_GODWIT_STATE_INVALID');
      }),
    );
    for (const refusal of refusals) expect(await codeOf(target.loadState(refusal))).toBe('ERR_GODWIT_STATE_INVALID');
    expect(await codeOf(target.resume())).toBe('ERR_GODWIT_STATE_INVALID');
    await target.loadState(state);
    expect(await codeOf(target.resume())).toBe('ERR_GODWIT_STATE_INVALID');
    copyPages(source, target, PageSet.full(source.memory.pageCount));
    await target.resume();
    expect(await codeOf(target.saveState())).toBeInstanceOf(TypeError);
    await target.pause();
    expect(await codeOf(target.loadState(state))).toBe('ERR_GODWIT_STATE_INVALID');
    expect((await target.selfCheck()).ok).toBe(true);
  });

  it('configs of a peer that make no guest', async () => {
    const config = {
      version: 1,
      memoryBytes: MIB,
      residentBytes: 0,
      content: 'zero',
      seed: 1,
      workload: idle.workload,
    };
    const hostile: unknown[] = [
      undefined,
      null,
      'idle',
      [],
      {},
      { ...config, version: 2 },
      { ...config, memoryBytes: 2 ** 40 },
      { ...config, memoryBytes: 4_097 },
      { ...config, memoryBytes: '1048576' },
      { ...config, memoryBytes: Number.NaN },
      { ...config, residentBytes: 2 * MIB },
      { ...config, seed: -1 },
      { ...config, content: '__proto__' },
      { ...config, workload: { name: 'idle', beatMicroseconds: 0 } },
      { ...config, workload: { name: 'constructor' } },
      { ...config, workload: { name: 'appmembench' } },
      { ...config, workload: { name: 'appmembench', workingSetBytes: MIB } },
      { ...config, workload: { name: 'appmembench', workingSetBytes: 4096, pagesPerSecond: -1 } },
      { ...config, workload: { name: 'appmembench', workingSetBytes: 4096, wholePages: 1 } },
    ];
    for (const candidate of hostile) {
      expect(await codeOf(restorePortableGuest(candidate))).toBe('ERR_GODWIT_REFUSED');
    }
    expect(await codeOf(restorePortableGuest({ ...config, workload: { name: 'l2fwd' } }))).toBe(
      'ERR_GODWIT_UNSUPPORTED',
    );
    await expect(createPortableGuest({ ...idle, memoryBytes: 1 })).rejects.toBeInstanceOf(RangeError);
    await expect(
      createPortableGuest({ ...writer, workload: { name: 'appmembench', workingSetBytes: 32 * MIB } }),
    ).rejects.toBeInstanceOf(RangeError);
  });

  it('to run on in memory that makes its program fail, and says so', async () => {
    const source = await fresh(writer);
    const target = await emptyTwin(source);
    await moveLive(source, target);
    new BigInt64Array(bytesOf(target.memory).buffer, 0, 512)[CURSOR_WORD] = -1_000n;
    await target.resume();
    while (target.running) await new Promise<void>((resolve) => setImmediate(resolve));
    await target.pause();
    expect(await codeOf(target.resume())).toBe('ERR_GODWIT_GUEST_STOPPED');
    expect(await codeOf(target.saveState())).toBe('ERR_GODWIT_GUEST_STOPPED');
    expect((await target.selfCheck()).ok).toBe(false);
  });

  it('everything but close after close', async () => {
    const guest = await fresh(idle);
    await guest.resume();
    await guest.close();
    await guest.close();
    expect(guest.running).toBe(false);
    for (const call of [guest.pause(), guest.resume(), guest.saveState(), guest.selfCheck(), guest.announce()]) {
      expect(await codeOf(call)).toBe('ERR_GODWIT_CLOSED');
    }
  });
});
