import { formatBytes } from '../quantities.ts';
import type { BenchAddon } from './bench-native.ts';
import { type LimitShare, rateOf } from './figure-row.ts';
import { type Measured, type TimingPlan, timeInterleaved } from './interleaved-timing.ts';
import type { MeasuringMemory } from './measuring-memory.ts';
import type { MeasuringThread } from './measuring-thread.ts';
import type { MicroLimit } from './micro-document.ts';
import type { Spread } from './spread.ts';

/** What no figure exceeds. */
export type LimitKey = 'read' | 'readTwoThreads' | 'readL2' | 'readL1' | 'copy' | 'copyTwoThreads' | 'copyL2';

/** The machine's limits. */
export interface Limits {
  /** Every loop; the fastest of each name is the limit. */
  readonly rows: readonly MicroLimit[];
  /** The loop that read fastest. */
  loopOf(key: LimitKey): string;
  /** GB/s. */
  rateOf(key: LimitKey): number;
  /** A rate in GB/s as a share of a limit. */
  shareOf(key: LimitKey, gigabytesPerSecond: number): LimitShare;
}

/** In the second level of every current processor's cache, and in no first one. */
export const L2_BYTES: number = 512 * 1024;
/** In the first level. */
export const L1_BYTES: number = 16 * 1024;
const GIB = 2 ** 30;

/** How much memory is streamed over by one thread. */
export function streamBytes({ bytes }: MeasuringMemory): number {
  return Math.min(GIB, bytes.length / 2);
}

/** Reads and copies with every bare loop that the processor can run, from memory and from its caches. */
export async function measureLimits(
  addon: BenchAddon,
  memory: MeasuringMemory,
  thread: MeasuringThread,
  plan: TimingPlan,
  longPlan: TimingPlan,
): Promise<Limits> {
  const rows: MicroLimit[] = [];
  const best: Partial<Record<LimitKey, MicroLimit>> = {};
  const keep = async (key: LimitKey, name: string, work: BareWork, how: TimingPlan): Promise<void> => {
    const timings = await timeInterleaved(work.variants, how);
    const rates = timings.map((timing) => ({ loop: timing.name, spread: rateOf(timing, work.bytesPerRun) }));
    const fastest = rates.reduce((a, b) => (b.spread.median > a.spread.median ? b : a));
    for (const { loop, spread } of rates) rows.push(limitRow(name, loop, spread, loop === fastest.loop));
    best[key] = limitRow(name, fastest.loop, fastest.spread, true);
  };
  const vectorLoops = addon.readLoops().filter((loop) => loop !== PORTABLE);
  const loops = vectorLoops.length > 0 ? vectorLoops : [PORTABLE];
  const reads = (bytes: number, passes: number, threads: number): BareWork => ({
    bytesPerRun: bytes * passes,
    variants: loops.map((loop) => ({
      name: loop,
      run: () => void addon.read(memory.part(0, bytes), loop, passes, threads),
    })),
  });
  const half = memory.bytes.length / 2;
  const copies = (bytes: number, passes: number, threads: number): BareWork => ({
    bytesPerRun: bytes * passes,
    variants: addon.copyLoops().map((loop) => ({
      name: loop,
      run: () => addon.copy(memory.part(0, bytes), memory.part(half, bytes), loop, passes, threads),
    })),
  });
  const [oneBytes, allBytes] = [streamBytes(memory), memory.bytes.length];
  const copyBytes = oneBytes / 2;
  await keep('read', `read ${formatBytes(oneBytes)}`, reads(oneBytes, 1, 1), longPlan);
  await keep('copy', `copy ${formatBytes(copyBytes)}`, copies(copyBytes, 1, 1), longPlan);
  await thread.everywhere(async () => {
    await keep('readTwoThreads', `read ${formatBytes(allBytes)}, two threads`, reads(allBytes, 1, 2), longPlan);
    await keep('copyTwoThreads', `copy ${formatBytes(copyBytes)}, two threads`, copies(copyBytes, 1, 2), longPlan);
  });
  await keep('readL2', `read ${formatBytes(L2_BYTES)} in cache`, reads(L2_BYTES, CACHE_PASSES, 1), plan);
  await keep('readL1', `read ${formatBytes(L1_BYTES)} in cache`, reads(L1_BYTES, 32 * CACHE_PASSES, 1), plan);
  const cacheCopyBytes = L2_BYTES / 2;
  await keep('copyL2', `copy ${formatBytes(cacheCopyBytes)} in cache`, copies(cacheCopyBytes, CACHE_PASSES, 1), plan);
  return limitsOf(best as Record<LimitKey, MicroLimit>, rows);
}

/** What a compiler makes of a plain loop: that of the least vectors that every processor of the kind has. */
const PORTABLE = 'portable';

/** The same work by every loop. */
interface BareWork {
  readonly variants: readonly Measured[];
  readonly bytesPerRun: number;
}

/** In one call, as the bytes that fit into a cache take less time than a call does. */
export const CACHE_PASSES = 256;

function limitRow(name: string, variant: string, spread: Spread, fastest: boolean): MicroLimit {
  const { median, p5, p95, samples } = spread;
  return { name, variant, unit: 'GB/s', value: median, p5, p95, samples, fastest };
}

function limitsOf(best: Readonly<Record<LimitKey, MicroLimit>>, rows: readonly MicroLimit[]): Limits {
  return {
    rows,
    loopOf: (key) => best[key].variant,
    rateOf: (key) => best[key].value,
    shareOf: (key, gigabytesPerSecond) => ({ name: best[key].name, share: gigabytesPerSecond / best[key].value }),
  };
}
