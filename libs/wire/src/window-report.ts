import type { PacketReport } from '@godwit/ports';

/** Frames of one flow. Flow 0 enters the guest at port 0 and leaves it at port 1, flow 1 goes the other way. */
export interface FlowReport {
  readonly offered: number;
  readonly returned: number;
  /** Offered and not returned: what was dropped before the cable, what was damaged, and what never came. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  /** Of the lost: the host's ring was full. */
  readonly droppedAtRing: number;
  /** Of the lost: no card was plugged in where the switch wanted to send them. */
  readonly droppedWithoutLink: number;
  /** Returned so late that their number was no longer remembered; they are among the lost. */
  readonly forgotten: number;
  readonly longestGapNs: number;
  readonly longestGapStartNs: number;
}

/** What the wire itself did wrong: read it before blaming a guest. */
export interface OwnFaults {
  /** Frames sent more than two ticks after they were due. */
  readonly lateFrames: number;
  /** Frames that were due while the wire stood still for over 100 ms; they were not offered. */
  readonly skippedFrames: number;
  /** The longest time between two turns of the wire's loop. A gap can't be known better than this. */
  readonly longestStallNs: number;
}

/** A measuring window. Moments are nanoseconds of the machine's monotonic clock (`process.hrtime.bigint()` has the same). */
export interface WindowReport extends PacketReport, Omit<FlowReport, 'longestGapNs'> {
  readonly startNs: number;
  readonly endNs: number;
  /** The flow with the longest gap. */
  readonly longestGapFlow: number;
  readonly latencyP50Ns: number;
  readonly latencyP99Ns: number;
  readonly latencyMaxNs: number;
  readonly ownFaults: OwnFaults;
  readonly flows: readonly FlowReport[];
}

/** Where a hardware address lives, as the switch has learned. */
export interface WireLocation {
  readonly mac: string;
  /** Index of the host. */
  readonly host: number;
  readonly sinceNs: number;
}

/** Where things stand since the wire was started. */
export interface WireTotals {
  /** `lost` includes frames that are still out; the gaps are zero, as they need a window. */
  readonly flows: readonly FlowReport[];
  readonly ownFaults: OwnFaults;
  /** Hosts whose cable broke the rules and is dead since. */
  readonly damagedHosts: readonly number[];
}

/** A window as the wire's process reports it. */
export interface NativeWindowReport
  extends Pick<WindowReport, 'startNs' | 'endNs' | 'latencyP50Ns' | 'latencyP99Ns' | 'latencyMaxNs' | 'ownFaults'> {
  readonly flows: readonly FlowReport[];
}

/** The window over all flows: counts are added up, the gap is that of the worst flow. */
export function windowReport(native: NativeWindowReport, controlGapMs: number): WindowReport {
  const sum = (of: (flow: FlowReport) => number): number => native.flows.reduce((total, flow) => total + of(flow), 0);
  let longestGapFlow = 0;
  let longestGapNs = 0;
  let longestGapStartNs = native.startNs;
  for (const [index, flow] of native.flows.entries()) {
    if (flow.longestGapNs > longestGapNs) {
      ({ longestGapNs, longestGapStartNs } = flow);
      longestGapFlow = index;
    }
  }
  return {
    ...native,
    offered: sum((flow) => flow.offered),
    returned: sum((flow) => flow.returned),
    lost: sum((flow) => flow.lost),
    duplicated: sum((flow) => flow.duplicated),
    reordered: sum((flow) => flow.reordered),
    corrupted: sum((flow) => flow.corrupted),
    droppedAtRing: sum((flow) => flow.droppedAtRing),
    droppedWithoutLink: sum((flow) => flow.droppedWithoutLink),
    forgotten: sum((flow) => flow.forgotten),
    longestGapMs: longestGapNs / 1e6,
    longestGapStartNs,
    longestGapFlow,
    controlGapMs,
  };
}
