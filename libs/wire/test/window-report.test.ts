import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FlowReport, windowReport } from '../src/window-report.ts';

const count: fc.Arbitrary<number> = fc.nat(1_000_000_000);

const flow: fc.Arbitrary<FlowReport> = fc.record({
  offered: count,
  returned: count,
  lost: count,
  duplicated: count,
  reordered: count,
  corrupted: count,
  droppedAtRing: count,
  droppedWithoutLink: count,
  forgotten: count,
  longestGapNs: count,
  longestGapStartNs: count,
});

describe('the report of a window', () => {
  it('adds up all flows and takes the gap of the worst one', () => {
    fc.assert(
      fc.property(fc.array(flow, { minLength: 1, maxLength: 4 }), fc.nat(1000), (flows, controlGapMs) => {
        const native = {
          startNs: 5,
          endNs: 9,
          flows,
          latencyP50Ns: 1,
          latencyP99Ns: 2,
          latencyMaxNs: 3,
          ownFaults: { lateFrames: 0, skippedFrames: 0, longestStallNs: 0 },
        };
        const report = windowReport(native, controlGapMs);
        const names = ['offered', 'returned', 'lost', 'duplicated', 'reordered', 'corrupted', 'droppedAtRing'] as const;
        for (const name of names) {
          expect(report[name]).toBe(flows.reduce((sum, one) => sum + one[name], 0));
        }
        const worstNs = Math.max(...flows.map((one) => one.longestGapNs));
        expect(report.longestGapMs).toBe(worstNs / 1e6);
        if (worstNs > 0) {
          expect(flows[report.longestGapFlow]).toMatchObject({
            longestGapNs: worstNs,
            longestGapStartNs: report.longestGapStartNs,
          });
        }
        expect(report).toMatchObject({ startNs: 5, endNs: 9, controlGapMs });
      }),
    );
  });
});
