import type { Capsule } from '@godwit/ports';
import type { EncoderCounts } from './encoder-statistics.ts';
import type { BackOff } from './poor-pages.ts';

/** The sender's half in `native/js_encoder.rs`. */
export interface NativeEncoder {
  createCapsule(): Capsule<'codec'>;
  encode(page: number, current: Uint8Array, into: Uint8Array): number;
  forget(page: number): void;
  resize(cacheBytes: number): void;
  statistics(): EncoderCounts;
  close(): void;
}

/** Pages without a cache, in `native/js_pages.rs`. */
export interface NativePageEncoder {
  encodePage(old: Uint8Array, current: Uint8Array, into: Uint8Array): number;
  encodePages(
    old: Uint8Array,
    current: Uint8Array,
    pages: Uint32Array | undefined,
    into: Uint8Array,
    lengthsBytes: Int32Array,
    deltaBytesMax: number,
  ): number;
}

/** What the addon exports. */
export interface NativeAddon {
  readonly NativeEncoder: new (
    pageSizeBytes: number,
    cacheBytes: number,
    deltaBytesMax: number,
    backOff: BackOff | undefined,
    isa: string | undefined,
  ) => NativeEncoder;
  readonly NativePageEncoder: new (pageSizeBytes: number, isa: string | undefined) => NativePageEncoder;
  isas(): string[];
  decodePage(delta: Uint8Array, page: Uint8Array): void;
  decodePages(
    deltas: Uint8Array,
    lengthsBytes: Int32Array,
    pages: Uint32Array | undefined,
    memory: Uint8Array,
    pageSizeBytes: number,
  ): number;
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
