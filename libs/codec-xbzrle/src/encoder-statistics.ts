/** What an encoder counts. Every page is a hit or a miss; every hit is unchanged, a delta or an overflow. */
export interface EncoderCounts {
  /** Pages that were in the cache. */
  readonly hitPages: number;
  readonly missPages: number;
  /** Misses that the cache did not take in, as every place for them held a page in use. */
  readonly refusedPages: number;
  readonly unchangedPages: number;
  readonly deltaPages: number;
  /** Pages sent whole because their delta was no smaller. */
  readonly overflowPages: number;
  /** All deltas together. */
  readonly deltaBytes: number;
}

/** What an encoder did so far. */
export interface XbzrleStatistics extends EncoderCounts {
  /**
   * Bytes of the pages found in the cache over the bytes sent for them: above 1 is a gain; 0 before the first, infinite
   * where nothing had to be sent.
   */
  readonly encodingRate: number;
}

/** Adds the rate to the counts. */
export function statisticsOf(counts: EncoderCounts, pageSizeBytes: number): XbzrleStatistics {
  const sentBytes = counts.deltaBytes + counts.overflowPages * pageSizeBytes;
  const encodingRate = counts.hitPages === 0 ? 0 : (counts.hitPages * pageSizeBytes) / sentBytes;
  return { ...counts, encodingRate };
}
