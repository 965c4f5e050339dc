import { type Guest, isGodwitError } from '@godwit/ports';
import { expect } from 'vitest';
import { type Fixture, type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';
import { emptyBitmap, hasPage, pagesOf, setPage } from './plain-bitmap.ts';

/** Makes guests of one description. A few MiB of memory, and a program that writes part of it all the while. */
export interface GuestFixture extends Fixture {
  /** A fresh guest, whose program has not run. */
  create(): Promise<Guest>;
  /** An empty guest as a destination makes it, from nothing but what `describe().config` of the other says. */
  createEmpty(config: Readonly<Record<string, unknown>>): Promise<Guest>;
  /** A fresh guest of another memory size, whose state fits no other. */
  createOther?(): Promise<Guest>;
  /** The whole memory as it is. May be left out where `memory.bytes` is there. */
  readMemory?(guest: Guest): Promise<Uint8Array>;
  /** Makes this the memory of an empty guest. May be left out where `memory.bytes` is there. */
  writeMemory?(guest: Guest, bytes: Uint8Array): Promise<void>;
  /** Resolves when the running guest has written memory since the call. May be left out: the memory is read until it differs. */
  progress?(guest: Guest): Promise<void>;
}

type Case = ContractCase<GuestFixture>;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function readMemory(fixture: GuestFixture, guest: Guest): Promise<Uint8Array> {
  if (fixture.readMemory !== undefined) return fixture.readMemory(guest);
  if (guest.memory.bytes === undefined) throw new TypeError('the fixture has no readMemory, and the memory no bytes');
  return guest.memory.bytes.slice();
}

async function writeMemory(fixture: GuestFixture, guest: Guest, bytes: Uint8Array): Promise<void> {
  if (fixture.writeMemory !== undefined) return fixture.writeMemory(guest, bytes);
  if (guest.memory.bytes === undefined) throw new TypeError('the fixture has no writeMemory, and the memory no bytes');
  guest.memory.bytes.set(bytes);
}

async function progress(fixture: GuestFixture, guest: Guest): Promise<void> {
  if (fixture.progress !== undefined) return fixture.progress(guest);
  const before = await readMemory(fixture, guest);
  do await turn();
  while (sameBytes(before, await readMemory(fixture, guest)));
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** Some time in which a guest that is not paused would write. */
async function idleTurns(): Promise<void> {
  for (let index = 0; index < 200; index++) await turn();
}

async function runABit(fixture: GuestFixture, guest: Guest): Promise<void> {
  await guest.resume();
  expect(guest.running).toBe(true);
  await progress(fixture, guest);
}

async function expectAtRest(fixture: GuestFixture, guest: Guest): Promise<Uint8Array> {
  const before = await readMemory(fixture, guest);
  await idleTurns();
  expect(sameBytes(before, await readMemory(fixture, guest)), 'memory of a guest at rest does not change').toBe(true);
  return before;
}

async function expectSelfCheck(guest: Guest): Promise<void> {
  const check = await guest.selfCheck();
  expect(check.ok, check.detail).toBe(true);
  expect(check.errorCount).toBe(0);
}

async function expectCode(work: () => Promise<unknown>, code: Parameters<typeof isGodwitError>[1]): Promise<void> {
  let seen: unknown;
  try {
    await work();
  } catch (error) {
    seen = error;
  }
  expect(isGodwitError(seen, code), `rejects with ${code}, not with ${String(seen)}`).toBe(true);
}

/** Takes over guests so that each is closed, whatever happens. */
class Guests implements AsyncDisposable {
  readonly #guests: Guest[] = [];

  add(guest: Guest): Guest {
    this.#guests.push(guest);
    return guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const guest of this.#guests) await guest.close();
  }
}

/** Runs a case with a place to keep its guests in. */
function guestCase(name: string, run: (fixture: GuestFixture, guests: Guests) => Promise<void>): Case {
  return {
    name,
    async run(fixture) {
      const guests = new Guests();
      try {
        await run(fixture, guests);
      } finally {
        await guests[Symbol.asyncDispose]();
      }
    },
  };
}

/** Moves a paused guest into an empty one, as a migration does. */
async function moveInto(fixture: GuestFixture, source: Guest, guests: Guests): Promise<Guest> {
  const target = guests.add(await fixture.createEmpty(JSON.parse(JSON.stringify(source.describe().config))));
  expect(target.memory.pageCount).toBe(source.memory.pageCount);
  await writeMemory(fixture, target, await readMemory(fixture, source));
  const state = await source.saveState();
  expect(state.length).toBeLessThanOrEqual(source.stateBytesMax);
  await target.loadState(state);
  return target;
}

const cases: readonly Case[] = [
  guestCase('describes itself', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    const { kind, memoryBytes, pageSizeBytes, workload, config } = guest.describe();
    const { memory } = guest;
    expect(kind).toBe(guest.kind);
    expect(['native', 'typescript']).toContain(guest.backend);
    expect(workload).not.toBe('');
    expect(pageSizeBytes).toBe(memory.pageSizeBytes);
    expect(memoryBytes).toBe(memory.pageCount * memory.pageSizeBytes);
    expect(memory.capsule !== undefined || memory.bytes !== undefined, 'a way to the memory').toBe(true);
    if (memory.bytes !== undefined) expect(memory.bytes.length).toBe(memoryBytes);
    const json = JSON.stringify(config);
    expect(JSON.parse(json), 'the config is JSON').toEqual(config);
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(16 * 1024);
  }),
  guestCase('is made paused, and runs from resume to pause', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    expect(guest.running).toBe(false);
    await expectAtRest(fixture, guest);
    await runABit(fixture, guest);
    await guest.pause();
    expect(guest.running).toBe(false);
    await expectSelfCheck(guest);
  }),
  guestCase('writes no memory while it is paused', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    for (let round = 0; round < 3; round++) {
      await runABit(fixture, guest);
      await guest.pause();
      await expectAtRest(fixture, guest);
    }
  }),
  guestCase('pauses and resumes as often as it is told', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    await guest.pause();
    await guest.resume();
    await guest.resume();
    await progress(fixture, guest);
    await guest.pause();
    await expectAtRest(fixture, guest);
    await guest.pause();
    await guest.pause();
    await runABit(fixture, guest);
    await guest.pause();
    for (let round = 0; round < 20; round++) {
      await guest.resume();
      await guest.pause();
    }
    await runABit(fixture, guest);
    await guest.pause();
    await expectSelfCheck(guest);
  }),
  guestCase('knows every page that is not zero', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    const { pageCount, pageSizeBytes } = guest.memory;
    await runABit(fixture, guest);
    await guest.pause();
    const present = emptyBitmap(pageCount);
    expect(await guest.memory.present(present)).toBe(pagesOf(present).length);
    const bytes = await readMemory(fixture, guest);
    const missed: number[] = [];
    for (let page = 0; page < pageCount; page++) {
      const content = bytes.subarray(page * pageSizeBytes, (page + 1) * pageSizeBytes);
      if (!hasPage(present, page) && content.some((byte) => byte !== 0)) missed.push(page);
    }
    expect(missed, 'pages with content that are not said to be present').toEqual([]);
    expect(pagesOf(present).every((page) => page < pageCount)).toBe(true);
    const added = emptyBitmap(pageCount);
    setPage(added, pageCount - 1);
    await guest.memory.present(added);
    expect(hasPage(added, pageCount - 1), 'bits already set stay set').toBe(true);
  }),
  guestCase('goes on in another guest where it stopped', async (fixture, guests) => {
    let guest = guests.add(await fixture.create());
    for (let hop = 0; hop < 3; hop++) {
      await runABit(fixture, guest);
      await guest.pause();
      const frozen = await expectAtRest(fixture, guest);
      const target = await moveInto(fixture, guest, guests);
      expect(target.running).toBe(false);
      expect(sameBytes(frozen, await expectAtRest(fixture, target)), 'loading does not touch memory').toBe(true);
      await runABit(fixture, target);
      await target.announce();
      await target.pause();
      await expectSelfCheck(target);
      expect(sameBytes(frozen, await readMemory(fixture, guest)), 'the one left behind stays as it was').toBe(true);
      guest = target;
    }
  }),
  guestCase('goes on by itself after its state was saved', async (fixture, guests) => {
    const guest = guests.add(await fixture.create());
    await runABit(fixture, guest);
    await guest.pause();
    await guest.saveState();
    await runABit(fixture, guest);
    await guest.pause();
    await expectSelfCheck(guest);
  }),
  guestCase('refuses state that is not its own, and stays as it was', async (fixture, guests) => {
    const source = guests.add(await fixture.create());
    await runABit(fixture, source);
    await source.pause();
    const state = await source.saveState();
    const memory = await readMemory(fixture, source);
    const target = guests.add(await fixture.createEmpty(source.describe().config));
    await writeMemory(fixture, target, memory);
    const refused: Uint8Array[] = [
      new Uint8Array(0),
      state.subarray(0, state.length - 1),
      state.subarray(0, state.length >>> 1),
      Uint8Array.of(...state, 0),
      new Uint8Array(state.length),
      new Uint8Array(source.stateBytesMax + 1),
    ];
    if (fixture.createOther !== undefined) {
      const other = guests.add(await fixture.createOther());
      await other.resume();
      await other.pause();
      refused.push(await other.saveState());
    }
    for (const damaged of refused) await expectCode(() => target.loadState(damaged), 'ERR_GODWIT_STATE_INVALID');
    expect(sameBytes(memory, await readMemory(fixture, target)), 'a refusal does not touch memory').toBe(true);
    await target.loadState(state);
    await runABit(fixture, target);
    await target.pause();
    await expectSelfCheck(target);
  }),
  guestCase('closes once and for all, running or not', async (fixture, guests) => {
    const running = guests.add(await fixture.create());
    await runABit(fixture, running);
    await running.close();
    await running.close();
    expect(running.running).toBe(false);
    await expectCode(() => running.resume(), 'ERR_GODWIT_CLOSED');
    const paused = guests.add(await fixture.create());
    await paused[Symbol.asyncDispose]();
    await expectCode(() => paused.resume(), 'ERR_GODWIT_CLOSED');
    await expectCode(() => paused.saveState(), 'ERR_GODWIT_CLOSED');
  }),
];

/** What every `Guest` must do. */
export const guestCases: readonly Case[] = cases;

/** Registers `guestCases` over a fixture made anew for each. */
export function guestSuite(name: string, make: FixtureMaker<GuestFixture>): void {
  registerCases(`guest ${name}`, guestCases, make);
}
