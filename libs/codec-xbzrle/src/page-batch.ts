import { checkApart, checkBytes, checkPageSize, checkThere } from './codec-arguments.ts';

/** Pages of two regions to encode in one call. */
export interface EncodeBatch {
  /** What the receiver has: a whole number of pages. */
  readonly old: Uint8Array;
  /** What it is to have: as long. */
  readonly current: Uint8Array;
  readonly pageSizeBytes: number;
  /** Which pages of both regions, in any order, also repeatedly. Default: all of them. */
  readonly pages?: Uint32Array | undefined;
  /**
   * The deltas, one behind the other. Where it is full the deltas of further pages do not fit; with `deltaBytesMax` bytes
   * for each page it never is.
   */
  readonly into: Uint8Array;
  /** One element for each page: the length of its delta, 0 where it is unchanged, -1 where the delta does not fit or pay. */
  readonly lengthsBytes: Int32Array;
  /** A longer delta does not pay. Default: a byte less than a page. Smaller means that the encoder stops earlier. */
  readonly deltaBytesMax?: number | undefined;
}

/** Deltas to apply to pages of a memory in one call. */
export interface DecodeBatch {
  /** One behind the other, as `encodePages` leaves them. */
  readonly deltas: Uint8Array;
  /** How long each is; those of 0 and below are left out. */
  readonly lengthsBytes: Int32Array;
  /** The page of each, also repeatedly. Default: the first page, the second and so on, all of the memory. */
  readonly pages?: Uint32Array | undefined;
  /** A whole number of pages. */
  readonly memory: Uint8Array;
  readonly pageSizeBytes: number;
}

/**
 * @throws TypeError for arrays of another kind
 * @throws RangeError for lengths and pages that do not go together, or memory that is gone
 */
export function checkEncodeBatch(batch: EncodeBatch): void {
  const { old, current, pageSizeBytes, into, deltaBytesMax = pageSizeBytes - 1 } = batch;
  checkPageSize(pageSizeBytes);
  checkBytes('old region', old);
  checkBytes('current region', current);
  checkBytes('output', into);
  checkThere('old region', old);
  checkThere('current region', current);
  checkThere('output', into);
  if (old.length !== current.length) {
    throw new RangeError(`the regions have ${old.length} and ${current.length} bytes, and ought to be equally long`);
  }
  if (!Number.isInteger(deltaBytesMax) || deltaBytesMax < 1 || deltaBytesMax >= pageSizeBytes) {
    throw new RangeError(`a delta has 1 to ${pageSizeBytes - 1} bytes, not ${deltaBytesMax}`);
  }
  checkPages(batch, old);
}

/** @throws RangeError for an output that overlaps what is read. Native code sees that sooner. */
export function checkEncodeBatchApart({ old, current, pages, into, lengthsBytes }: EncodeBatch): void {
  for (const read of [old, current]) {
    checkApart('output', into, read);
    checkApart('lengths', lengthsBytes, read);
  }
  checkApart('lengths', lengthsBytes, into, 'output');
  if (pages !== undefined) {
    checkApart('output', into, pages, 'page indexes');
    checkApart('lengths', lengthsBytes, pages, 'page indexes');
  }
}

/**
 * @throws TypeError for arrays of another kind
 * @throws RangeError for lengths and pages that do not go together, or memory that is gone
 */
export function checkDecodeBatch(batch: DecodeBatch): void {
  const { deltas, lengthsBytes, memory, pageSizeBytes } = batch;
  checkPageSize(pageSizeBytes);
  checkBytes('deltas', deltas);
  checkBytes('memory', memory);
  checkThere('deltas', deltas);
  checkThere('memory', memory);
  checkPages(batch, memory);
  let total = 0;
  for (const lengthBytes of lengthsBytes) total += Math.max(lengthBytes, 0);
  if (total > deltas.length) {
    throw new RangeError(`the lengths say ${total} bytes of deltas, and there are ${deltas.length}`);
  }
}

/** @throws RangeError for a memory that overlaps what is read. Native code sees that sooner. */
export function checkDecodeBatchApart({ deltas, lengthsBytes, pages, memory }: DecodeBatch): void {
  checkApart('deltas', deltas, memory);
  checkApart('lengths', lengthsBytes, memory);
  if (pages !== undefined) checkApart('memory', memory, pages, 'page indexes');
}

function checkPages({ pages, lengthsBytes, pageSizeBytes }: EncodeBatch | DecodeBatch, region: Uint8Array): void {
  if (!(lengthsBytes instanceof Int32Array)) throw new TypeError('the lengths are not an Int32Array');
  if (pages !== undefined && !(pages instanceof Uint32Array)) throw new TypeError('the pages are not a Uint32Array');
  checkThere('lengths', lengthsBytes);
  if (pages !== undefined) checkThere('page indexes', pages);
  if (region.length % pageSizeBytes !== 0) {
    throw new RangeError(`${region.length} bytes are no whole number of pages of ${pageSizeBytes} bytes`);
  }
  const pageCount = region.length / pageSizeBytes;
  if (lengthsBytes.length !== (pages?.length ?? pageCount)) {
    throw new RangeError(`there are ${lengthsBytes.length} lengths for ${pages?.length ?? pageCount} pages`);
  }
  for (const page of pages ?? []) {
    if (page >= pageCount) throw new RangeError(`page ${page} lies outside the memory of ${pageCount} pages`);
  }
}
