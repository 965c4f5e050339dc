import type { Capsule, UntouchedWay } from '@godwit/ports';

/** What `native/lib.rs` exports. */
export interface NativeAddon {
  isas(): string[];
  readonly NativeScanner: new (isa?: string) => NativeScanner;
  readonly ScanCancellation: new () => ScanCancellation;
}

/** A scanner with one instruction set. */
export interface NativeScanner {
  readonly isa: string;
  createCapsule(): Capsule<'scanner'>;
  memoryLengthBytes(memory: Capsule<'memory'>): number;
  count(
    memory: Uint8Array | Capsule<'memory'>,
    pageSizeBytes: number,
    into: Uint32Array,
    candidates: Uint32Array | undefined,
    areRuns: boolean,
  ): number;
  scan(
    memory: Uint8Array | Capsule<'memory'>,
    pageSizeBytes: number,
    into: Uint32Array,
    candidates: Uint32Array | undefined,
    settings: ScanSettings,
    firstNonZeroBytes: Uint32Array | undefined,
  ): NativeOutcome;
  scanBeside(
    memory: Uint8Array | Capsule<'memory'>,
    pageSizeBytes: number,
    candidates: Uint32Array | undefined,
    settings: ScanSettings,
    wantsOffsets: boolean,
    cancellation: ScanCancellation,
  ): Promise<ScanFindings>;
}

export interface ScanCancellation {
  /** Whether the scan had not begun, and never will. */
  cancel(): boolean;
}

export interface ScanSettings {
  readonly areRuns: boolean;
  readonly threadCount: number;
  readonly untouched: string;
  readonly isPartOfMuch: boolean;
}

export interface NativeOutcome {
  readonly zeroPageCount: number;
  readonly readPageCount: number;
  readonly untouchedPageCount: number;
  readonly untouchedBy: UntouchedWay | 'nothing';
  readonly because: string;
  readonly threadCount: number;
}

export interface ScanFindings {
  readonly outcome: NativeOutcome;
  readonly words: Uint32Array;
  readonly firstNonZeroBytes?: Uint32Array;
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
