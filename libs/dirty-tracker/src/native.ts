import { createRequire } from 'node:module';
import { type Capsule, fromNativeError, GodwitError } from '@godwit/ports';

/** What one collection of native code found: one bit a page. */
export interface CollectedPages {
  readonly words: Uint32Array;
  readonly pageCount: number;
}

/** A tracker of the native module. */
export interface NativeTracker {
  readonly pageCount: number;
  readonly capsule: Capsule<'dirty'>;
  start(): Promise<void>;
  stop(): Promise<void>;
  collect(): Promise<CollectedPages>;
  /** Stops, and lets go of the memory and its descriptors. */
  close(): Promise<void>;
}

interface NativeModule {
  createPagemapScanTracker(memory: Capsule<'memory'>): NativeTracker;
  createKvmDirtyLogTracker(memory: Capsule<'memory'>): NativeTracker;
  createKvmDirtyRingTracker(memory: Capsule<'memory'>): NativeTracker;
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

/** Whether the native module of this package is there. */
export const nativeIsLoaded: boolean = 'module' in loaded;

/** Why it is not there, as Node.js says. */
export const nativeLoadError: unknown = 'module' in loaded ? undefined : loaded.error;

/**
 * Makes a native tracker.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native module, or what the tracker needs, is missing
 */
export function createNative(which: keyof NativeModule, memory: Capsule<'memory'>): NativeTracker {
  if (!('module' in loaded)) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native module of @godwit/dirty-tracker is missing', {
      cause: loaded.error,
    });
  }
  try {
    return loaded.module[which](memory);
  } catch (error) {
    throw fromNativeError(error);
  }
}
