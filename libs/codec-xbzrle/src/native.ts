import type { Capsule } from '@godwit/ports';
import type { EncoderCounts } from './encoder-statistics.ts';

/** The sender's half in `native/js_encoder.rs`. */
export interface NativeEncoder {
  createCapsule(): Capsule<'codec'>;
  encode(page: number, current: Uint8Array, into: Uint8Array): number;
  forget(page: number): void;
  statistics(): EncoderCounts;
  close(): void;
}

/** What the addon exports. */
export interface NativeAddon {
  readonly NativeEncoder: new (pageSizeBytes: number, cacheBytes: number, isa: string | undefined) => NativeEncoder;
  isas(): string[];
  encodePage(old: Uint8Array, current: Uint8Array, into: Uint8Array, isa: string | undefined): number;
  decodePage(delta: Uint8Array, page: Uint8Array): void;
  createDecoderCapsule(pageSizeBytes: number): Capsule<'codec'>;
}

/** The addon, or why there is none. */
export interface NativeLoad {
  readonly addon?: NativeAddon;
  readonly error?: unknown;
}

let loaded: NativeLoad | undefined;

/** Loads the addon that was built for this machine; tries once. Where it is missing TypeScript takes over. */
export function loadNative(): NativeLoad {
  loaded ??= tryToLoad();
  return loaded;
}

function tryToLoad(): NativeLoad {
  try {
    // Asked of the process rather than imported, so that the package also loads where there is no Node.js.
    const { createRequire } = process.getBuiltinModule('node:module');
    return { addon: createRequire(import.meta.url)('../native.cjs') as NativeAddon };
  } catch (error) {
    return { error };
  }
}
