import { createRequire } from 'node:module';
import { type Capsule, fromNativeError, GodwitError } from '@godwit/ports';

/** What the addon counts; see `GuestCounters`. */
export interface NativeCounters {
  readonly heartbeats: number;
  readonly errorCount: number;
  readonly checkedCount: number;
  readonly firstErrorKind: number;
  readonly firstErrorPlace: number;
  readonly iterations: number;
  readonly iterationLastMs: number;
  readonly iterationMaxMs: number;
  readonly pagesWritten: number;
  readonly framesReceived: number;
  readonly framesSent: number;
  readonly framesDropped: number;
  readonly nicReceivedFrames: number;
  readonly nicSentFrames: number;
  readonly nicDroppedFrames: number;
  readonly nicDescriptorErrors: number;
  readonly bufferErrors: number;
  readonly recognised: boolean;
}

/** What the addon makes a guest of. */
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
  readonly idlePollMicroseconds: number;
}

/** A guest of the addon. */
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
  readMemory(offsetBytes: number, into: Buffer): void;
  writeMemory(offsetBytes: number, from: Buffer): void;
  counters(): NativeCounters;
  drainLateFrames(): Uint8Array;
  injectFrames(frames: Buffer): number;
  close(): Promise<void>;
}

interface NativeModule {
  unavailableBecause(): string | null;
  createGuest(options: NativeOptions): Promise<NativeGuest>;
}

type Loaded = { readonly module: NativeModule } | { readonly error: unknown };

function load(): Loaded {
  try {
    // From `src` as from `dist` the addon's loader lies one folder up.
    return { module: createRequire(import.meta.url)('../native.cjs') as NativeModule };
  } catch (error) {
    return { error };
  }
}

const loaded: Loaded = load();

/** Why no guest can be made here; undefined when one can. */
export function unavailableBecause(): string | undefined {
  if (process.platform !== 'linux') return 'KVM is a part of Linux';
  if (!('module' in loaded)) return 'the native module of @godwit/guest-kvm is missing';
  return loaded.module.unavailableBecause() ?? undefined;
}

/** Gives what `work` gives, with failures of native code as errors of Godwit. */
export async function translated<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNativeError(error);
  }
}

/**
 * Makes a guest.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where something it needs is missing
 */
export async function createNativeGuest(options: NativeOptions): Promise<NativeGuest> {
  const reason = unavailableBecause();
  if (reason !== undefined || !('module' in loaded)) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `no KVM guest: ${reason}`, {
      cause: 'error' in loaded ? loaded.error : undefined,
    });
  }
  const { module } = loaded;
  return translated(() => module.createGuest(options));
}
