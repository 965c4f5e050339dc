import { PageSet } from '@godwit/page-set';
import { type Capsule, type GuestMemory, isGodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import {
  CompareTracker,
  createDirtyTracker,
  createSharedMarks,
  DirtyRate,
  nativeAvailability,
  SoftwareMarksTracker,
  type TrackerName,
} from '../src/index.ts';

function memory(parts: Partial<GuestMemory>): GuestMemory {
  return { pageSizeBytes: 4096, pageCount: 8, present: async () => 0, ...parts };
}

/** What the library of this language level does not know of yet. */
function resizableBuffer(bytes: number): { readonly buffer: ArrayBuffer; resize(bytes: number): void } {
  const buffer = Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 2 * bytes }]) as ArrayBuffer & {
    resize(bytes: number): void;
  };
  return { buffer, resize: (to) => buffer.resize(to) };
}

function refusal(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('createDirtyTracker', () => {
  const bytes = new Uint8Array(8 * 4096);
  const softwareMarks = createSharedMarks(8).words;

  it('takes the best that the memory offers', () => {
    expect(createDirtyTracker(memory({ bytes, softwareMarks })).name).toBe('software-marks');
    expect(createDirtyTracker(memory({ bytes })).name).toBe('compare');
  });

  it('takes what is preferred, or nothing', () => {
    expect(createDirtyTracker(memory({ bytes, softwareMarks }), { prefer: 'compare' }).name).toBe('compare');
    const error = refusal(() => createDirtyTracker(memory({ bytes }), { prefer: 'kvm-dirty-log' }));
    expect(isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')).toBe(true);
    expect(() => createDirtyTracker(memory({ bytes }), { prefer: 'guess' as TrackerName })).toThrow(TypeError);
  });

  it('says what is missing for each', () => {
    const error = refusal(() => createDirtyTracker(memory({})));
    expect(isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')).toBe(true);
    for (const name of ['kvm-dirty-ring', 'kvm-dirty-log', 'pagemap-scan', 'software-marks', 'compare']) {
      expect(String(error)).toContain(name);
    }
  });

  it('refuses what is no capsule', () => {
    const capsule = {} as Capsule<'memory'>;
    expect(() => createDirtyTracker(memory({ capsule }), { prefer: 'pagemap-scan' })).toThrow();
  });
});

describe('nativeAvailability', () => {
  it('says what is missing, if anything is', () => {
    const { available, backend, reason } = nativeAvailability();
    expect(backend).toBe(available ? 'native' : 'typescript');
    expect(reason === '').toBe(available);
  });
});

describe('CompareTracker', () => {
  it('refuses a memory that is no whole number of pages', () => {
    expect(() => new CompareTracker(new Uint8Array(4097), 4096)).toThrow(RangeError);
    expect(() => new CompareTracker(new Uint8Array(4096), 0)).toThrow(RangeError);
  });

  it('says that its memory is gone', async () => {
    const memory = new Uint8Array(8 * 4096);
    const tracker = new CompareTracker(memory, 4096);
    await tracker.start();
    structuredClone(memory.buffer, { transfer: [memory.buffer] });
    await expect(tracker.collect(PageSet.empty(8))).rejects.toThrow(TypeError);
    const { buffer, resize } = resizableBuffer(8 * 4096);
    const shrunk = new CompareTracker(new Uint8Array(buffer), 4096);
    await shrunk.start();
    resize(4096);
    await expect(shrunk.collect(PageSet.empty(8))).rejects.toThrow(TypeError);
  });

  it('has nothing to say of a memory of no page', async () => {
    const tracker = new CompareTracker(new Uint8Array(0), 4096);
    await tracker.start();
    expect(await tracker.collect(PageSet.empty(0))).toBe(0);
  });
});

describe('SoftwareMarksTracker', () => {
  it('says that its marks are gone', async () => {
    const words = new Uint32Array(2);
    const tracker = new SoftwareMarksTracker({ pageCount: 8, words });
    await tracker.start();
    words[0] = 1;
    structuredClone(words.buffer, { transfer: [words.buffer] });
    await expect(tracker.collect(PageSet.empty(8))).rejects.toThrow();
  });

  it('refuses marks that are no bitmap over their pages', () => {
    expect(() => new SoftwareMarksTracker({ pageCount: 65, words: new Uint32Array(2) })).toThrow(RangeError);
  });
});

describe('DirtyRate', () => {
  it('weighs observations by their length and forgets', () => {
    const rate = new DirtyRate(100);
    expect(rate.pagesPerSecond).toBe(0);
    rate.observe(100, 10);
    expect(rate.pagesPerSecond).toBeCloseTo(10_000);
    for (let index = 0; index < 300; index++) rate.observe(10, 10);
    expect(rate.pagesPerSecond).toBeCloseTo(1000, 0);
    expect(() => rate.observe(-1, 1)).toThrow(RangeError);
    expect(() => new DirtyRate(0)).toThrow(RangeError);
  });
});
