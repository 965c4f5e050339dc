import { describe, expect, it } from 'vitest';
import { defaultPlacement, formatPlacement, parsePlacement } from '../src/placement.ts';

describe('placement', () => {
  it('reads what it writes', () => {
    for (const text of ['vcpu=0,wire=1', 'source=0,destination=3', 'none']) {
      expect(formatPlacement(parsePlacement(text, 4))).toBe(text);
    }
  });

  it('keeps guest and outside world apart where there are two processors', () => {
    expect(defaultPlacement(2)).toEqual({ vcpu: 0, wire: 1 });
    expect(defaultPlacement(1)).toEqual({});
  });

  it('refuses unknown parts and processors that are not there', () => {
    for (const text of ['vcpu=2', 'gpu=0', 'vcpu', 'vcpu=x', '']) {
      expect(() => parsePlacement(text, 2)).toThrow(RangeError);
    }
  });
});
