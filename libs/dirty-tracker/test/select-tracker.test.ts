import { type Capsule, type GuestMemory, isGodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { CompareTracker, createDirtyTracker, createSharedMarks, DirtyRate, type TrackerName } from '../src/index.ts';

function memory(parts: Partial<GuestMemory>): GuestMemory {
  return { pageSizeBytes: 4096, pageCount: 8, present: async () => 0, ...parts };
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
    for (const name of ['kvm-dirty-log', 'pagemap-scan', 'software-marks', 'compare']) {
      expect(String(error)).toContain(name);
    }
  });

  it('refuses what is no capsule', () => {
    const capsule = {} as Capsule<'memory'>;
    expect(() => createDirtyTracker(memory({ capsule }), { prefer: 'pagemap-scan' })).toThrow();
  });
});

describe('CompareTracker', () => {
  it('refuses a memory that is no whole number of pages', () => {
    expect(() => new CompareTracker(new Uint8Array(4097), 4096)).toThrow(RangeError);
    expect(() => new CompareTracker(new Uint8Array(4096), 0)).toThrow(RangeError);
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
