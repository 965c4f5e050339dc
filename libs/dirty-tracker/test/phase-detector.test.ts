import { describe, expect, it } from 'vitest';
import { PhaseDetector } from '../src/index.ts';

const TICK_MS = 10;

/** A guest that writes so many pages a second for so long; the phase after each collection. */
function lives(detector: PhaseDetector, pagesPerSecond: number, lengthMs: number): string {
  let phases = '';
  for (let elapsedMs = 0; elapsedMs < lengthMs; elapsedMs += TICK_MS) {
    phases += detector.observe((pagesPerSecond * TICK_MS) / 1000, TICK_MS)[0];
  }
  return phases;
}

describe('PhaseDetector', () => {
  const thresholds = { quietBelow: 1000, busyAbove: 3000, dwellMs: 50 };

  it('counts a guest as busy until it has been quiet for the dwell', () => {
    const detector = new PhaseDetector(thresholds);
    expect([detector.phase, detector.ageMs]).toEqual(['busy', undefined]);
    expect(lives(detector, 500, 80)).toBe('bbbbqqqq');
    // It began when the rate fell.
    expect(detector.ageMs).toBe(80);
  });

  it('is held by a rate between the thresholds in the phase it is in', () => {
    const detector = new PhaseDetector(thresholds);
    expect(lives(detector, 2000, 500)).toBe('b'.repeat(50));
    lives(detector, 0, 100);
    expect(lives(detector, 2000, 500)).toBe('q'.repeat(50));
    lives(detector, 3001, 50);
    expect(detector.phase).toBe('busy');
  });

  it('is not taken in by single odd collections', () => {
    const detector = new PhaseDetector(thresholds);
    for (let round = 0; round < 20; round++) {
      expect(lives(detector, 100, 40)).toBe('bbbb');
      expect(lives(detector, 9000, TICK_MS)).toBe('b');
    }
    lives(detector, 0, 50);
    for (let round = 0; round < 20; round++) {
      expect(lives(detector, 9000, 40)).toBe('qqqq');
      expect(lives(detector, 100, TICK_MS)).toBe('q');
    }
  });

  it('follows a guest that alternates, and learns how long its phases last', () => {
    const detector = new PhaseDetector(thresholds);
    let changes = 0;
    let before = detector.phase;
    for (let cycle = 0; cycle < 10; cycle++) {
      for (const [rate, lengthMs] of [
        [200, 300],
        [8000, 700],
      ] as const) {
        for (let elapsedMs = 0; elapsedMs < lengthMs; elapsedMs += TICK_MS) {
          const phase = detector.observe((rate * TICK_MS) / 1000, TICK_MS);
          if (phase !== before) changes++;
          before = phase;
        }
      }
    }
    expect(changes).toBe(20);
    expect(detector.meanMs('quiet')).toBe(300);
    expect(detector.meanMs('busy')).toBe(700);
    expect(detector.ageMs).toBe(700);
  });

  it('carries what a collection of no length reported', () => {
    const detector = new PhaseDetector({ ...thresholds, dwellMs: 0 });
    lives(detector, 0, TICK_MS);
    expect(detector.phase).toBe('quiet');
    expect(detector.observe(100, 0)).toBe('quiet');
    expect(detector.observe(0, TICK_MS)).toBe('busy');
  });

  it('has learnt of no phase that it did not see from its beginning', () => {
    const detector = new PhaseDetector(thresholds);
    lives(detector, 0, 200);
    expect([detector.meanMs('busy'), detector.meanMs('quiet')]).toEqual([undefined, undefined]);
  });

  it('refuses what cannot be', () => {
    expect(() => new PhaseDetector({ quietBelow: 0, busyAbove: 1 })).toThrow(RangeError);
    expect(() => new PhaseDetector({ quietBelow: 2, busyAbove: 1 })).toThrow(RangeError);
    expect(() => new PhaseDetector({ quietBelow: 1, busyAbove: 2, dwellMs: -1 })).toThrow(RangeError);
    expect(() => new PhaseDetector(thresholds).observe(-1, 1)).toThrow(RangeError);
    expect(() => new PhaseDetector(thresholds).observe(1, Number.NaN)).toThrow(RangeError);
  });
});
