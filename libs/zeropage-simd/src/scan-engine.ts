import type { Backend, Capsule, ScanStatistics, UntouchedWay } from '@godwit/ports';

/** What is scanned: bytes of JavaScript, or native memory. */
export type EngineMemory = Uint8Array | Capsule<'memory'>;

/** What an engine is told besides memory and result; all of it was checked. */
export interface ScanRequest {
  /** A bitmap's words, or runs `[firstPage, pageCount, ...]`. */
  readonly candidates: Uint32Array | undefined;
  readonly areRuns: boolean;
  readonly threadCount: number;
  readonly untouched: 'auto' | 'read' | UntouchedWay;
  /** Whether page tables are worth asking though this call is about little memory, as it is a part of much. */
  readonly isPartOfMuch: boolean;
}

/** How a scan went, as an engine tells it. */
export type EngineStatistics = Omit<ScanStatistics, 'backend' | 'beside'>;

/** What a scan beside the JavaScript thread found. */
export interface EngineFindings {
  readonly statistics: EngineStatistics;
  readonly words: Uint32Array;
  /** `NOT_LOOKED_AT` for the pages that were not candidates. */
  readonly firstNonZeroBytes: Uint32Array | undefined;
}

/** No page has its first byte that is not zero there. */
export const NOT_LOOKED_AT = 0xffff_ffff;

/** How pages are looked at. Everything else about a scanner is the same for all engines: see `scannerOver`. */
export interface ScanEngine {
  readonly name: string;
  readonly backend: Backend;
  readonly capsule?: Capsule<'scanner'>;
  /** How long native memory is, where the engine takes it. */
  readonly lengthBytes?: (memory: Capsule<'memory'>) => number;
  /** The shortest way for the least that can be asked: returns the number of zero pages. */
  count(
    memory: EngineMemory,
    pageSizeBytes: number,
    into: Uint32Array,
    candidates: Uint32Array | undefined,
    areRuns: boolean,
  ): number;
  /** Sets and clears the bits of `into`, and fills the offsets of the pages it looks at. */
  scan(
    memory: EngineMemory,
    pageSizeBytes: number,
    into: Uint32Array,
    request: ScanRequest,
    firstNonZeroBytes: Uint32Array | undefined,
  ): EngineStatistics;
  /**
   * Looks at shared or native memory beside the JavaScript thread, until it is done or the function that `whenCancelled` is
   * given is called. That one tells whether nobody had begun: then nobody ever looks. The candidates are copied before it
   * returns. Of a cancelled scan the findings are worth nothing.
   */
  readonly scanBeside?: (
    memory: EngineMemory,
    pageSizeBytes: number,
    request: ScanRequest,
    wantsOffsets: boolean,
    whenCancelled: (cancel: () => boolean) => void,
  ) => Promise<EngineFindings>;
}
