import { PageSet } from '@godwit/page-set';
import type { Budget, Clock, MigrationContext, PageBitmap, SendResult, SwitchoverResult } from '@godwit/ports';
import type { Moved, PumpCounters, SourcePump } from './pump.ts';

export interface ContextParts {
  readonly pump: SourcePump;
  readonly clock: Clock;
  readonly budget: Budget;
  readonly signal: AbortSignal;
  readonly memory: { readonly pageSizeBytes: number; readonly pageCount: number };
  readonly encoding: boolean;
  readonly linkBytesPerSecond: number | undefined;
  readonly epoch: number;
  /**
   * Settles who runs the guest after a switchover in doubt: resolves (to the start time there, if known, in CLOCK_MONOTONIC
   * nanoseconds) if it runs at the destination, rejects otherwise.
   */
  resolveDoubt(error: Error): Promise<number | undefined>;
}

/** What the context learnt that the report wants. */
export interface ContextRecord {
  moved?: Moved;
  /** Bytes that left before the switchover began. */
  precopyWireBytes: number;
  /** Moments on the context's clock. */
  firstSendAtMs?: number;
  switchedAtMs?: number;
}

/** The context of a strategy over a pump. */
export function migrationContext(parts: ContextParts, record: ContextRecord): MigrationContext {
  const { pump, clock, signal } = parts;
  const add = (into: PageBitmap, from: PageBitmap): number => {
    PageSet.of(into).or(from);
    return PageSet.of(from).count();
  };
  return {
    clock,
    budget: parts.budget,
    signal,
    memory: parts.memory,
    encoding: parts.encoding,
    approaches: pump.approaches,
    linkBytesPerSecond: parts.linkBytesPerSecond,
    presentPages: async (into) => {
      signal.throwIfAborted();
      return add(into, await pump.present());
    },
    trackWrites: async () => {
      signal.throwIfAborted();
      await pump.trackWrites();
    },
    collectDirty: async (into) => {
      signal.throwIfAborted();
      return add(into, await pump.collect());
    },
    send: async (runs, { encode }) => {
      signal.throwIfAborted();
      const [before, startMs] = [pump.counters(), clock.nowMs()];
      record.firstSendAtMs ??= startMs;
      await pump.send(runs, encode);
      return sent(before, pump.counters(), clock.nowMs() - startMs);
    },
    switchover: async (options): Promise<SwitchoverResult> => {
      signal.throwIfAborted();
      const [before, startMs] = [pump.counters(), clock.nowMs()];
      record.precopyWireBytes = before.wireBytes;
      const seen = await pump.switchover(options, parts.epoch);
      if (seen.outcome === 'resumed') throw seen.error;
      const moved = seen.outcome === 'running' ? seen.moved : seen.completed(await parts.resolveDoubt(seen.error));
      record.moved = moved;
      record.switchedAtMs = clock.nowMs();
      const { blackoutMs, blackoutPhases, approach } = moved;
      return { ...sent(before, pump.counters(), record.switchedAtMs - startMs), blackoutMs, blackoutPhases, approach };
    },
  };
}

function sent(before: PumpCounters, after: PumpCounters, elapsedMs: number): SendResult {
  return {
    zeroPages: after.zeroPages - before.zeroPages,
    rawPages: after.rawPages - before.rawPages,
    deltaPages: after.deltaPages - before.deltaPages,
    unchangedPages: after.unchangedPages - before.unchangedPages,
    wireBytes: after.wireBytes - before.wireBytes,
    elapsedMs,
  };
}
