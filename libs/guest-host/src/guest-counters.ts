/** What the programs of a guest and its card have counted, over all hosts the guest has been on. */
export interface GuestCounters {
  /** Steps of the programs, over all processors. */
  readonly heartbeats: number;
  /** Inconsistencies the programs met. */
  readonly errorCount: number;
  /** Pages, frames or blocks the programs checked. */
  readonly checkedCount: number;
  /** The first inconsistency, in words. */
  readonly firstError: string | undefined;
  /** appmembench: rounds through the working set, and how long the last and the longest took. */
  readonly iterations: number;
  readonly iterationLastMs: number;
  readonly iterationMaxMs: number;
  /** appmembench: pages written. */
  readonly pagesWritten: number;
  /** l2fwd: frames that came, were sent on, and were dropped because the ring to send them was full. */
  readonly framesReceived: number;
  readonly framesSent: number;
  readonly framesDropped: number;
  /** The card's own counts. */
  readonly nicReceivedFrames: number;
  readonly nicSentFrames: number;
  readonly nicDroppedFrames: number;
  readonly nicDescriptorErrors: number;
}

/** Names of `ErrorKind` in the guest programs, by number. */
const ERROR_KINDS: readonly string[] = [
  'nothing',
  'a resident page does not hold its content',
  'a page of the working set is torn',
  'a page of the working set is stale',
  "a buffer's header is damaged",
  'a buffer is in the wrong state',
  'a descriptor holds the wrong buffer or length',
  'buffers do not add up',
];

/** Describes a program's first error, if there was one. */
export function describeError(kind: number, place: number): string | undefined {
  if (kind === 0) return undefined;
  return `${ERROR_KINDS[kind] ?? `error ${kind}`} (at 0x${place.toString(16)})`;
}
