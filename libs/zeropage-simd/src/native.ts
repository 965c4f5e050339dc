import type { Capsule } from '@godwit/ports';

/** What `native/lib.rs` exports. */
export interface NativeAddon {
  isas(): string[];
  scan(
    memory: Uint8Array,
    pageSizeBytes: number,
    into: Uint32Array,
    candidates: Uint32Array | undefined,
    isa: string | undefined,
  ): number;
  createScannerCapsule(isa: string | undefined): Capsule<'scanner'>;
}

/** The addon, or why there is none. */
export interface NativeLoad {
  readonly addon?: NativeAddon;
  readonly error?: unknown;
}

let loaded: NativeLoad | undefined;

/** Loads the addon that was built for this machine; tries once. Where it is missing the TypeScript scanner takes over. */
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
