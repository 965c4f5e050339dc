/** What `native/lib.rs` exports. `isa` is an index into `isas()`. */
export interface NativeAddon {
  isas(): string[];
  count(isa: number, words: Uint32Array): number;
  or(isa: number, words: Uint32Array, others: Uint32Array): void;
  and(isa: number, words: Uint32Array, others: Uint32Array): void;
  subtract(isa: number, words: Uint32Array, others: Uint32Array): void;
  equal(isa: number, words: Uint32Array, others: Uint32Array): boolean;
  nextBit(isa: number, words: Uint32Array, from: number, set: boolean): number;
  runCount(isa: number, words: Uint32Array): number;
  fillRuns(isa: number, words: Uint32Array, pageCount: number, runs: Uint32Array): number;
  fetchAndClear(isa: number, words: Uint32Array, marks: Uint32Array, shared: boolean): number;
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
