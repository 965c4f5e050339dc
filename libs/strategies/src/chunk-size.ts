const FIRST_CHUNK_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES_MIN = 1024 * 1024;
/** Of the first round, in which nothing is learnt between two chunks but the progress. */
const FIRST_ROUND_CHUNK_BYTES_MAX = 256 * 1024 * 1024;
/** Of later rounds: between two chunks the pages that were dirtied again are taken out of the rest. */
const LATER_ROUND_CHUNK_BYTES_MAX = 64 * 1024 * 1024;
/** Between two chunks the link runs dry for a moment; at this length that stays below a hundredth. */
export const CHUNK_MS = 100;

/**
 * How many pages one call of `send` gets: as many as the link takes in about 100 ms, so that progress is heard and the
 * turn between two calls stays cheap; at most 256 MiB in round 0 and 64 MiB later. Before anything was measured: 32 MiB.
 * `bytesPerSecond` is what was measured last, in page bytes (before encoding).
 */
export function chunkPageCount(
  round: number,
  bytesPerSecond: number | undefined,
  pageSizeBytes: number,
  chunkMs: number = CHUNK_MS,
): number {
  const wantedBytes = bytesPerSecond === undefined ? FIRST_CHUNK_BYTES : (bytesPerSecond * chunkMs) / 1000;
  const bytesMax = round === 0 ? FIRST_ROUND_CHUNK_BYTES_MAX : LATER_ROUND_CHUNK_BYTES_MAX;
  const bytes = Math.min(Math.max(wantedBytes, CHUNK_BYTES_MIN), bytesMax);
  return Math.max(1, Math.floor(bytes / pageSizeBytes));
}
