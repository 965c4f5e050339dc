/** What an encoder counts. Every page is a hit, a miss or skipped; every hit is unchanged, a delta or an overflow. */
export interface EncoderCounts {
  readonly cacheSizeBytes: number;
  readonly hitPages: number;
  readonly missPages: number;
  readonly refusedPages: number;
  readonly skippedPages: number;
  readonly unchangedPages: number;
  readonly deltaPages: number;
  readonly overflowPages: number;
  readonly deltaBytes: number;
}

/** What an encoder did so far. Where QEMU's `query-migrate` has the same in `xbzrle-cache`, its name stands in parentheses. */
export interface XbzrleStatistics {
  /** What the cache takes, with what it knows of its pages (`cache-size`). */
  readonly cacheSizeBytes: number;
  /** Pages that were in the cache: unchanged, sent as a delta, or overflowed (`pages`). */
  readonly encodedPages: number;
  /** What was sent for them: deltas, and whole pages where those overflowed (`bytes`). */
  readonly encodedBytes: number;
  /** Pages sent whole because the cache did not have them (`cache-miss`). */
  readonly cacheMissPages: number;
  /** Misses among the pages that were looked for, 0 to 1; all of them, where QEMU takes the last second's (`cache-miss-rate`). */
  readonly cacheMissRate: number;
  /**
   * Bytes of the pages found in the cache over the bytes sent for them: above 1 is a gain; 0 before the first, infinite where
   * nothing had to be sent; all of them, where QEMU takes the last second's (`encoding-rate`).
   */
  readonly encodingRate: number;
  /** Pages sent whole because their delta was no smaller, or longer than it may be (`overflow`). */
  readonly overflowPages: number;
  /** Pages that were in the cache and needed nothing to be sent. */
  readonly unchangedPages: number;
  readonly deltaPages: number;
  /** All deltas together. */
  readonly deltaBytes: number;
  /** Misses that the cache did not take in, as every place for them held a page in use. */
  readonly refusedPages: number;
  /** Pages that the adaptive mode left alone: sent whole, neither looked for nor compared. */
  readonly skippedPages: number;
}

/** Adds rates and sums to the counts. */
export function statisticsOf(counts: EncoderCounts, pageSizeBytes: number): XbzrleStatistics {
  const { hitPages, missPages, ...others } = counts;
  const encodedBytes = counts.deltaBytes + counts.overflowPages * pageSizeBytes;
  const lookups = hitPages + missPages;
  return {
    ...others,
    encodedPages: hitPages,
    encodedBytes,
    cacheMissPages: missPages,
    cacheMissRate: lookups === 0 ? 0 : missPages / lookups,
    encodingRate: hitPages === 0 ? 0 : (hitPages * pageSizeBytes) / encodedBytes,
  };
}
