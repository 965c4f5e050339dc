import { type Capsule, type Connection, fromNativeError, type PageBitmap } from '@godwit/ports';
import { type NativeSwitchoverOutcome, native } from './native.ts';
import { required, typed } from './native-call.ts';
import type { Moved, SourcePump } from './pump.ts';
import type { SourceComposition, SourcePumpParts } from './source-pump-parts.ts';

/** The hash of pages in the native pump. */
export const NATIVE_DIGEST = 'xxh3-64';

/** Whether every part offers what the native pump drives; if not, what is missing. */
export function nativeSourceMissing(parts: SourceComposition, connection: Connection): string | undefined {
  if (native.addon === undefined) return `the native pump (${native.missingBecause})`;
  const capsules: Record<string, unknown> = {
    'the guest memory': parts.guest.memory.capsule,
    'the guest execution': parts.guest.execution,
    'the dirty tracker': parts.tracker === undefined || parts.tracker.capsule,
    'the zero-page scanner': parts.scanner.capsule,
    'the codec': parts.encoder === undefined || parts.encoder.capsule,
    'the transport': connection.capsule,
  };
  const missing = Object.entries(capsules).find(([, capsule]) => !capsule);
  return missing && `a native capsule of ${missing[0]}`;
}

/** Drives the native pump. The parts were checked with `nativeSourceMissing`. */
export function nativeSourcePump(parts: SourcePumpParts): SourcePump {
  const { guest, tracker, scanner, encoder, link, faults } = parts;
  const addon = required(native.addon);
  const pump = new addon.NativeSourcePump({
    memory: required(guest.memory.capsule),
    execution: required(guest.execution),
    ...(tracker && { dirty: required(tracker.capsule) }),
    scanner: required(scanner.capsule),
    ...(encoder && { encoder: required(encoder.capsule) }),
    channel: required<Capsule<'channel'>>(link.connection.capsule),
    framesSent: link.framesSent,
    framesReceived: link.framesReceived,
    timeoutMs: link.timeoutMs,
    sameClock: parts.sameClock,
    ...(faults.forgetOneIn !== undefined && { forgetOneIn: faults.forgetOneIn }),
    ...(faults.tearPage !== undefined && { tearPage: faults.tearPage }),
  });
  const pageCount = guest.memory.pageCount;
  const bitmap = (words: Uint32Array): PageBitmap => ({ pageCount, words });
  return {
    backend: 'native',
    approaches: true,
    digest: NATIVE_DIGEST,
    present: () => typed(pump.present()).then(bitmap),
    trackWrites: () => typed(pump.trackWrites()),
    stopTracking: () => typed(pump.stopTracking()),
    collect: () => typed(pump.collect()).then(bitmap),
    send: (runs, encode) => typed(pump.send(runs, encode)),
    switchover: async ({ pending, encode, approach = false }, epoch) => {
      const seen = await typed(pump.switchover(pending.words, encode, approach, epoch));
      if (seen.outcome === 'running') return { outcome: 'running', moved: movedOf(seen) };
      const error = fromNativeError(new Error(seen.error ?? 'the switchover failed')) as Error;
      if (seen.outcome !== 'in-doubt') return { outcome: 'resumed', error };
      const completed = (startedAtNs: number | undefined): Moved => {
        // What the destination says of the time can only lie between COMMIT and now.
        const nowNs = monotonicNs();
        const sound = startedAtNs !== undefined && startedAtNs >= seen.committedAtNs && startedAtNs <= nowNs;
        const endNs = sound && parts.sameClock ? startedAtNs : nowNs;
        return movedOf({ ...seen, blackoutNs: endNs - seen.pausedAtNs, startNs: endNs - seen.committedAtNs });
      };
      return { outcome: 'in-doubt', error, completed };
    },
    verify: () => typed(pump.verify()),
    finish: () => typed(pump.finish()),
    close: () => pump.close(),
    cancel: () => pump.cancel(),
    counters: () => pump.counters(),
    relink: (next) => pump.relink(required(next.connection.capsule), next.framesSent, next.framesReceived),
  };
}

function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

function movedOf(seen: NativeSwitchoverOutcome): Moved {
  return {
    blackoutMs: seen.blackoutNs / 1e6,
    blackoutPhases: {
      pauseMs: seen.pauseNs / 1e6,
      collectMs: seen.collectNs / 1e6,
      sendMs: seen.sendNs / 1e6,
      stateMs: seen.stateNs / 1e6,
      startMs: seen.startNs / 1e6,
    },
    approach: seen.approach.map(({ pages, bytes, ns }) => ({ pages, bytes, ms: ns / 1e6 })),
    wireBytes: seen.wireBytes,
    stateBytes: seen.stateBytes,
    pages: seen.pages,
    destinationCpuSeconds: seen.destinationCpuUs / 1e6,
  };
}
