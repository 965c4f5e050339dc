import type { BenchRun } from '../src/bench-document.ts';

/** A run as a migration of a small guest might give it, with some of it changed. */
export function benchRun(changes: Partial<BenchRun> = {}): BenchRun {
  return {
    run: 1,
    attempt: 1,
    strategy: 'pre-copy',
    transport: 'tcp',
    guest: { kind: 'kvm', memoryBytes: 2 ** 28, residentBytes: 2 ** 26, workload: 'idle' },
    totalMs: 100,
    setupMs: 5,
    blackoutMs: 1,
    downtimeMs: 2,
    blackoutPhases: { pauseMs: 0.1, collectMs: 0.1, sendMs: 0.2, stateMs: 0.5, startMs: 0.1 },
    rounds: [],
    bytes: { wire: 1000, zero: 0, raw: 1000, xbzrle: 0, precopy: 900, downtime: 100, postcopy: 0 },
    pages: { zero: 0, raw: 1, delta: 0, unchanged: 0, resent: 0, faulted: 0, prefetched: 0 },
    throughputMbps: 8000,
    dirtyPagesPerSecond: 0,
    cpuSeconds: { source: 0.1, destination: 0.1 },
    disturbed: false,
    verified: true,
    budget: { totalMs: 2000, downtimeMs: 10, met: true },
    backends: {},
    host: {},
    selfCheck: { ok: true, errorCount: 0, checkedCount: 1, detail: 'idle: 1 checked' },
    warmed: true,
    ...changes,
  };
}
