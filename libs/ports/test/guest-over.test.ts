import { describe, expect, it } from 'vitest';
import { GodwitError, type Guest, type GuestParts, guestOver, isGodwitError, type PageBitmap } from '../src/index.ts';

const PAGE_COUNT = 70;
const PAGE_BYTES = 256;

/** Writes one page at each turn of the event loop; the number of the next one is its register. */
class Turning {
  readonly bytes: Uint8Array = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
  readonly calls: string[] = [];
  next = 0;
  stopped = true;
  failing = '';

  guest(more: Partial<GuestParts> = {}): Guest {
    return guestOver({ ...this.parts(), ...more } as GuestParts);
  }

  parts(): GuestParts {
    const called = async (name: string): Promise<void> => {
      this.calls.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      if (this.failing === name) throw new Error(`${name} failed`);
    };
    return {
      kind: 'turning',
      bytes: this.bytes,
      pageSizeBytes: PAGE_BYTES,
      stateBytesMax: 4,
      pause: async () => {
        await called('pause');
        this.stopped = true;
      },
      resume: async () => {
        await called('resume');
        this.stopped = false;
        this.#turn();
      },
      saveState: () => new Uint8Array(Uint32Array.of(this.next + 1).buffer),
      loadState: (state) => {
        const [next] = state.length === 4 ? new Uint32Array(state.slice().buffer) : [];
        if (next === undefined || next === 0) throw new GodwitError('ERR_GODWIT_STATE_INVALID');
        this.next = next - 1;
      },
      close: () => called('close'),
    };
  }

  #turn(): void {
    if (this.stopped) return;
    const page = this.next % PAGE_COUNT;
    this.next += 1;
    this.bytes.fill(this.next & 255, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    setImmediate(() => this.#turn());
  }
}

const emptyBitmap = (pageCount: number): PageBitmap => ({
  pageCount,
  words: new Uint32Array(Math.ceil(pageCount / 64) * 2),
});

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (isGodwitError(error) ? error.code : error),
  );

// The contract suite of the port looks at guests made with it in examples/bring-your-own-guest: this package depends on nothing.
describe('guestOver', () => {
  it('describes a guest by its memory', () => {
    const guest = new Turning().guest();
    expect(guest.describe()).toEqual({
      kind: 'turning',
      memoryBytes: PAGE_COUNT * PAGE_BYTES,
      pageSizeBytes: PAGE_BYTES,
      workload: 'turning',
      config: {},
    });
    const told = new Turning().guest({ workload: 'laps', config: { pageCount: PAGE_COUNT } });
    expect(told.describe()).toMatchObject({ workload: 'laps', config: { pageCount: PAGE_COUNT } });
    const { stateBytesMax: _, pageSizeBytes: __, ...least } = new Turning().parts();
    const guestOfLeast = guestOver({ ...least, bytes: new Uint8Array(8192) } as GuestParts);
    expect(guestOfLeast.memory).toMatchObject({ pageSizeBytes: 4096, pageCount: 2 });
    expect(guestOfLeast.stateBytesMax).toBe(65_536);
  });

  it.each([1, 31, 32, 33, 64, 70, 96])(
    'counts every one of %i pages as present, and none beyond',
    async (pageCount) => {
      const { memory } = new Turning().guest({ bytes: new Uint8Array(pageCount * PAGE_BYTES) } as Partial<GuestParts>);
      const present = emptyBitmap(pageCount);
      expect(await memory.present(present)).toBe(pageCount);
      const set = Array.from({ length: present.words.length * 32 }, (_, page) =>
        Boolean((present.words[page >>> 5] ?? 0) & (1 << (page & 31))),
      );
      expect(set.lastIndexOf(true)).toBe(pageCount - 1);
      expect(set.indexOf(false) === -1 ? set.length : set.indexOf(false)).toBe(pageCount);
      await expect(memory.present(emptyBitmap(pageCount + 1))).rejects.toThrow(RangeError);
    },
  );

  it('takes a memory that describes itself as it is', () => {
    const { memory } = new Turning().guest();
    const own = { ...memory, present: async () => 0 };
    const { bytes: _, pageSizeBytes: __, ...parts } = new Turning().parts();
    const guest = guestOver({ ...parts, memory: own } as GuestParts);
    expect(guest.memory).toBe(own);
    expect(guest.describe().memoryBytes).toBe(PAGE_COUNT * PAGE_BYTES);
  });

  it('hands on marks that fit the memory', () => {
    const softwareMarks = new Uint32Array(new SharedArrayBuffer(16));
    expect(new Turning().guest({ softwareMarks } as Partial<GuestParts>).memory.softwareMarks).toBe(softwareMarks);
    expect('softwareMarks' in new Turning().guest().memory).toBe(false);
  });

  it('tells its program once what it is told often, one thing after the other', async () => {
    const program = new Turning();
    const guest = program.guest();
    await Promise.all([guest.pause(), guest.resume(), guest.resume(), guest.pause(), guest.pause(), guest.resume()]);
    expect(program.calls).toEqual(['resume', 'pause', 'resume']);
    expect(guest.running).toBe(true);
    await Promise.all([guest.close(), guest.close()]);
    await guest[Symbol.asyncDispose]();
    expect(program.calls).toEqual(['resume', 'pause', 'resume', 'pause', 'close']);
    expect(guest.running).toBe(false);
  });

  it('is closed for every call made after close, even while it closes', async () => {
    const guest = new Turning().guest();
    await guest.resume();
    const before = guest.pause();
    const closing = guest.close();
    const calls = [guest.pause(), guest.resume(), guest.saveState(), guest.loadState(new Uint8Array(4))];
    const later = [guest.announce(), guest.selfCheck()];
    expect(await Promise.all([...calls, ...later].map(codeOf))).toEqual(Array(6).fill('ERR_GODWIT_CLOSED'));
    await before;
    await closing;
    expect(guest.describe().kind).toBe('turning');
  });

  it('stays as it was where pause or resume fails, and can be told again', async () => {
    const program = new Turning();
    const guest = program.guest();
    program.failing = 'resume';
    await expect(guest.resume()).rejects.toThrow('resume failed');
    expect(guest.running).toBe(false);
    program.failing = 'pause';
    await guest.resume();
    await expect(guest.pause()).rejects.toThrow('pause failed');
    expect(guest.running).toBe(true);
    program.failing = '';
    await guest.pause();
    expect(guest.running).toBe(false);
  });

  it('gives memory back even if its program does not pause any more', async () => {
    const program = new Turning();
    const guest = program.guest();
    await guest.resume();
    program.failing = 'pause';
    await expect(guest.close()).rejects.toThrow('pause failed');
    expect(program.calls.at(-1)).toBe('close');
    expect(guest.running).toBe(false);
    program.stopped = true;
  });

  it('refuses state that is too long, or comes into a guest that has run', async () => {
    const program = new Turning();
    const guest = program.guest();
    expect(await codeOf(guest.loadState(new Uint8Array(5)))).toBe('ERR_GODWIT_STATE_INVALID');
    await guest.resume();
    await expect(guest.saveState()).rejects.toThrow(TypeError);
    await guest.pause();
    expect(await codeOf(guest.loadState(await guest.saveState()))).toBe('ERR_GODWIT_STATE_INVALID');
    const talkative = new Turning().guest({ saveState: () => new Uint8Array(5) });
    await expect(talkative.saveState()).rejects.toThrow(RangeError);
  });

  it('checks nothing unless it is told how, and says so', async () => {
    const check = await new Turning().guest().selfCheck();
    expect(check).toMatchObject({ ok: true, errorCount: 0, checkedCount: 0 });
    expect(check.detail).toContain('nothing was checked');
  });

  it('stands still while it is looked at, and runs on', async () => {
    const program = new Turning();
    const checked = { ok: true, errorCount: 0, checkedCount: 1, detail: 'stopped' };
    const selfCheck = () => ({ ...checked, ok: program.stopped });
    const guest = program.guest({ selfCheck });
    await guest.resume();
    expect(await guest.selfCheck()).toEqual(checked);
    expect(guest.running).toBe(true);
    await guest.pause();
    expect(await guest.selfCheck()).toEqual(checked);
    expect(guest.running).toBe(false);
    const broken = new Turning();
    const failing = broken.guest({ selfCheck: () => Promise.reject(new Error('cannot look')) });
    await failing.resume();
    await expect(failing.selfCheck()).rejects.toThrow('cannot look');
    expect(failing.running).toBe(true);
    await Promise.all([guest.close(), failing.close()]);
  });

  it('announces as it is told to', async () => {
    let announcements = 0;
    const announce = () => {
      announcements += 1;
    };
    await new Turning().guest({ announce }).announce();
    await new Turning().guest().announce();
    expect(announcements).toBe(1);
  });

  it.each<[string, Record<string, unknown>, typeof RangeError | typeof TypeError]>([
    ['no kind', { kind: '' }, TypeError],
    ['neither bytes nor memory', { bytes: undefined }, TypeError],
    ['both bytes and memory', { memory: new Turning().guest().memory }, TypeError],
    ['bytes that are none', { bytes: [] }, TypeError],
    ['no pages', { bytes: new Uint8Array(0) }, RangeError],
    ['half a page', { bytes: new Uint8Array(PAGE_BYTES * 1.5) }, RangeError],
    ['a page size that is no power of two', { pageSizeBytes: 3 }, RangeError],
    ['marks of another size', { softwareMarks: new Uint32Array(3) }, RangeError],
    ['marks that are none', { softwareMarks: new Uint8Array(16) }, TypeError],
    ['a negative state', { stateBytesMax: -1 }, RangeError],
    ['no pause', { pause: undefined }, TypeError],
    ['a config that is too long', { config: { text: 'x'.repeat(16 * 1024) } }, RangeError],
  ])('refuses %s', (_, wrong, expected) => {
    expect(() => new Turning().guest(wrong as Partial<GuestParts>)).toThrow(expected);
  });
});
