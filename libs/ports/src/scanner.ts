import type { Backend, Capsule } from './capsule.ts';
import type { GuestMemory } from './guest.ts';
import type { PageBitmap, PageRuns } from './page-bitmap.ts';

/**
 * Memory that can be scanned: bytes of JavaScript in any form (a `Buffer`, a typed array, a `DataView`, an `ArrayBuffer`, a
 * `SharedArrayBuffer`), anything that has such a buffer (a `WebAssembly.Memory`), or native memory by its capsule, or
 * the memory of a guest. Never copied.
 */
export type ScannableMemory =
  | ArrayBufferView
  | ArrayBufferLike
  | { readonly buffer: ArrayBufferLike }
  | { readonly capsule: Capsule<'memory'> }
  | { readonly bytes: Uint8Array }
  | GuestMemory;

/** A way in which a scan finds the pages that were never touched: by the page tables of this process. */
export type UntouchedWay = 'pagemap-scan' | 'mincore' | 'pagemap';

/** How a scan went. */
export interface ScanStatistics {
  readonly backend: Backend;
  readonly zeroPageCount: number;
  /** Pages that were looked at, wholly or in part; one that was named more than once counts as often. */
  readonly readPageCount: number;
  /** Pages that were not looked at, as the page tables say that they were never touched: they are zero. */
  readonly untouchedPageCount: number;
  /** Who told which pages were never touched. `'nothing'`: every page was read. */
  readonly untouchedBy: UntouchedWay | 'nothing';
  /** Why nothing, or no better way, told it; empty where there is nothing to say. */
  readonly because: string;
  /** How many threads looked. */
  readonly threadCount: number;
  /** Whether they looked beside the JavaScript thread. */
  readonly beside: boolean;
}

/** What a scan may be told besides its memory. */
export interface ScanOptions {
  /** The only pages to look at: a set, or runs in any order, which may overlap and repeat. Default: all. */
  readonly candidates?: PageBitmap | PageRuns | undefined;
  /** How many threads look at the memory, 1 to 256. Default 1. TypeScript has one. */
  readonly threads?: number | undefined;
  /**
   * One entry a page, filled for the pages looked at: the offset of the first byte that is not zero, the page size where
   * there is none. Reads a page that is not zero up to there.
   */
  readonly firstNonZeroBytes?: Uint32Array | Float64Array | undefined;
  /**
   * `'auto'`: pages of private anonymous memory that were never touched are recognised in the page tables and not read,
   * where asking is cheap beside reading: in a scan of at least 64 MiB of candidates (in slices on the JavaScript thread: of
   * a memory of at least 64 MiB, by slices of at least 2 MiB), in each stretch of up to 16 MiB with at least 2 MiB of
   * candidates, and in pages larger than 2 MiB. What is below that is read. `'read'`: every page is read. A way's name:
   * that way, whatever it costs, or `ERR_GODWIT_UNSUPPORTED`, also for memory that is not private and anonymous. Default
   * `'auto'`.
   *
   * Under a userfaultfd for missing pages a page that did not arrive yet counts as untouched, and so as zero, where the
   * page tables are asked; where it is read the scan waits for it. `'auto'` may do either: `'read'` waits for every page,
   * a way's name for none.
   */
  readonly untouched?: 'auto' | 'read' | UntouchedWay | undefined;
  /** Is told how the scan went, right before its result is returned. */
  readonly onStatistics?: ((statistics: ScanStatistics) => void) | undefined;
}

/** What a scan that takes its time may be told. */
export interface AsyncScanOptions extends ScanOptions {
  /** Ends the scan before its time. */
  readonly signal?: AbortSignal | undefined;
}

/** Finds pages that hold only zero bytes. */
export interface ZeroPageScanner {
  readonly name: string;
  readonly backend: Backend;
  readonly capsule?: Capsule<'scanner'>;
  /**
   * Sets the bits of the zero pages of `memory` in `into` and clears the others; looks only at the candidates where some
   * are given, as they are or among the options. Returns the number of zero pages.
   *
   * Memory may be written meanwhile: a page is then judged by some mix of old and new bytes.
   *
   * @throws TypeError for what is no memory, no bitmap and no options, or is detached
   * @throws RangeError for a page size that is no power of two between 512 B and 1 GiB, a memory that is not a whole number
   *   of pages, a bitmap over another number of pages, a run outside of them; `into` is then as it was
   * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` for a way to find untouched pages that is not there, or native memory
   *   without native code; `ERR_GODWIT_CAPSULE_MISMATCH`; `ERR_GODWIT_NATIVE_FAILED` where memory is short
   */
  scan(
    memory: ScannableMemory,
    pageSizeBytes: number,
    into: PageBitmap,
    options?: ScanOptions | PageBitmap | PageRuns,
  ): number;
  /**
   * As `scan`, without holding up the event loop. Memory that stays where it is whatever JavaScript does (shared or native)
   * is looked at beside the JavaScript thread; other memory on it, in slices of about a millisecond between which the event
   * loop turns. Candidates are copied first. Until it is done `into` is empty, and stays so where the scan fails or is
   * aborted: no bit of it is wrong.
   *
   * Rejects with the signal's reason, soon after it was aborted, and for the causes of `scan`; with
   * `ERR_GODWIT_MEMORY_CHANGED` where the memory is detached or shrinks meanwhile. When it is settled nobody looks at the
   * memory any more.
   */
  scanAsync(
    memory: ScannableMemory,
    pageSizeBytes: number,
    into: PageBitmap,
    options?: AsyncScanOptions | PageBitmap | PageRuns,
  ): Promise<number>;
}
