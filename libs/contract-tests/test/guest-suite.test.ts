import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { type GuestFixture, guestCases, guestSuite } from '../src/guest-suite.ts';
import { type Flaw, GuestTwin } from './guest-twin.ts';

const BROKEN_PROGRESS_TURNS = 50;

function fixture(flaw: Flaw): GuestFixture {
  return {
    create: async () => new GuestTwin(flaw),
    createEmpty: async ({ pages }) => new GuestTwin(flaw, Number(pages)),
    createOther: async () => new GuestTwin(flaw, 17),
    async progress({ memory }) {
      const before = memory.bytes?.slice() ?? new Uint8Array();
      for (let turns = 0; turns < BROKEN_PROGRESS_TURNS; turns++) {
        await new Promise((resolve) => setImmediate(resolve));
        if (Buffer.compare(before, memory.bytes ?? before) !== 0) return;
      }
      throw new Error('the guest does not run');
    },
  };
}

guestSuite('sound twin', () => fixture('none'));
guestSuite('sound twin, told by its memory', () => {
  const { progress: _, ...rest } = fixture('none');
  return rest;
});

describe('the guest suite', () => {
  const caught: readonly [Flaw, string][] = [
    ['is made running', 'is made paused, and runs from resume to pause'],
    ['writes while it is paused', 'writes no memory while it is paused'],
    ['counts two resumes', 'pauses and resumes as often as it is told'],
    ['hides a page', 'knows every page that is not zero'],
    ['clears the bits of the caller', 'knows every page that is not zero'],
    ['saves half its state', 'goes on in another guest where it stopped'],
    ['writes when it loads', 'goes on in another guest where it stopped'],
    ['loads anything', 'refuses state that is not its own, and stays as it was'],
    ['keeps what it refuses', 'refuses state that is not its own, and stays as it was'],
    ['ends when it is saved', 'goes on by itself after its state was saved'],
    ['runs after close', 'closes once and for all, running or not'],
    ['describes more than JSON', 'describes itself'],
  ];
  it.each(caught)('catches a guest that %s', async (flaw, name) => {
    expect(await failingCases(guestCases, () => fixture(flaw))).toContain(name);
  });
});
