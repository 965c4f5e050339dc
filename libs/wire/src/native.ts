import { createRequire } from 'node:module';
import { fromNativeError, GodwitError } from '@godwit/ports';
import type { MirrorMischief } from './mirror.ts';

/** A mirror of the native module. */
export interface NativeMirror {
  announce(macs: readonly string[]): void;
  hold(): void;
  release(): void;
  arrange(mischief: MirrorMischief): void;
  isMischiefDone(): boolean;
  bouncedFrames(): number;
  forwardWaiting(other: NativeMirror): number;
  close(): void;
}

interface NativeModule {
  readonly Mirror: new (cablePath: string) => NativeMirror;
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

/**
 * Opens the host's end of a cable.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native module is missing, `ERR_GODWIT_NATIVE_FAILED` for no cable
 */
export function openNativeMirror(cablePath: string): NativeMirror {
  if (!('module' in loaded)) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native module of @godwit/wire is missing', {
      cause: loaded.error,
    });
  }
  try {
    return new loaded.module.Mirror(cablePath);
  } catch (error) {
    throw fromNativeError(error);
  }
}
