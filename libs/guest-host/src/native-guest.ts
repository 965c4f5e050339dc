import { type Capsule, fromNativeError } from '@godwit/ports';
import { type CompleteGuestConfig, macBytes } from './guest-config.ts';
import type { GuestCounters } from './guest-counters.ts';
import type { CompleteHostOptions } from './host-options.ts';

/** What an addon counts. */
export interface NativeCounters extends Omit<GuestCounters, 'firstError'> {
  /** What the first inconsistency was (0: there was none), and its address or index. */
  readonly firstErrorKind: number;
  readonly firstErrorPlace: number;
  /** Buffers of a paused forwarder that are damaged. */
  readonly bufferErrors: number;
  /** Whether memory holds a guest of this layout. */
  readonly recognised: boolean;
}

/** What an addon makes a guest of. */
export interface NativeOptions {
  readonly memoryBytes: number;
  readonly vcpuCount: number;
  readonly workload: string;
  readonly beatMicroseconds: number;
  readonly workingSetBytes: number;
  readonly pagesPerSecond: number;
  readonly wholePages: boolean;
  readonly pattern: string;
  readonly residentBytes: number;
  readonly content: string;
  readonly seed: number;
  readonly macs: readonly (readonly number[])[];
  readonly cablePath?: string;
  readonly cpus: readonly number[];
  readonly empty: boolean;
  readonly hugePages: boolean;
  readonly recordWrites: boolean;
  readonly dirtyRingBytes: number;
  readonly idlePollMicroseconds: number;
}

/** A guest of an addon. */
export interface NativeGuest {
  readonly stateBytesMax: number;
  readonly running: boolean;
  memoryCapsule(): Capsule<'memory'>;
  executionCapsule(): Capsule<'execution'>;
  failure(): string | null;
  pause(): Promise<void>;
  resume(): Promise<void>;
  save(): Promise<Uint8Array>;
  load(state: Buffer): Promise<void>;
  announce(): void;
  present(words: Uint32Array): number;
  counters(): NativeCounters;
  readMemory(offsetBytes: number, into: Buffer): void;
  writeMemory(offsetBytes: number, from: Buffer): void;
  drainLateFrames(): Uint8Array;
  injectFrames(frames: Buffer): number;
  close(): Promise<void>;
}

/** Gives what `work` gives, with failures of native code as errors of Godwit. */
export async function translated<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNativeError(error);
  }
}

/** What is made besides what the configuration says. */
export interface NativeExtras {
  readonly empty: boolean;
  /** A userfaultfd that records writes. */
  readonly recordWrites: boolean;
  /** Of each processor's dirty ring, where processors have one; 0 or left out: none. */
  readonly dirtyRingBytes?: number;
}

/** What an addon is told. */
export function nativeOptions(
  config: CompleteGuestConfig,
  host: CompleteHostOptions,
  { empty, recordWrites, dirtyRingBytes = 0 }: NativeExtras,
): NativeOptions {
  const { workload } = config;
  const writer = workload.name === 'appmembench' ? workload : undefined;
  const wholePages = writer?.bytesPerSecond !== undefined;
  return {
    memoryBytes: config.memoryBytes,
    vcpuCount: config.vcpuCount,
    workload: workload.name,
    beatMicroseconds: workload.name === 'idle' ? (workload.beatMicroseconds ?? 1000) : 1000,
    workingSetBytes: writer?.workingSetBytes ?? 0,
    pagesPerSecond: wholePages ? Math.ceil((writer?.bytesPerSecond ?? 0) / 4096) : (writer?.pagesPerSecond ?? 0),
    wholePages,
    pattern: writer?.pattern ?? 'sweep',
    residentBytes: config.residentBytes,
    content: config.content,
    seed: config.seed,
    macs: config.macs.map(macBytes),
    ...(host.cablePath === undefined ? {} : { cablePath: host.cablePath }),
    cpus: host.cpus,
    empty,
    hugePages: host.hugePages,
    recordWrites,
    dirtyRingBytes,
    idlePollMicroseconds: host.idlePollMicroseconds,
  };
}
