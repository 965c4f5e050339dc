import { GodwitError } from '@godwit/ports';
import { lengthAt, lengthBytesAt, lengthBytesMax } from './delta-format.ts';

/**
 * Applies a delta to the page it was made against.
 * @throws GodwitError `ERR_GODWIT_DELTA_MALFORMED` where it is empty (an unchanged page has no delta), cut off, goes beyond
 * the page, or has an empty run or a length not in its shortest form; the page is untouched
 */
export function decodeDelta(delta: Uint8Array, page: Uint8Array): void {
  if (delta.length === 0) throw malformed('it is empty');
  // Each length covers at least as many bytes of the page as it has itself, but for the first.
  if (delta.length > 2 * page.length + 1) throw malformed('it is longer than any');
  walkRuns(delta, page.length, undefined);
  walkRuns(delta, page.length, page);
}

function walkRuns(delta: Uint8Array, pageSizeBytes: number, page: Uint8Array | undefined): void {
  const bytesMax = lengthBytesMax(pageSizeBytes);
  const deltaEnd = delta.length;
  let deltaAt = 0;
  let pageAt = 0;
  while (deltaAt < deltaEnd) {
    const isFirst = deltaAt === 0;
    const equalLengthBytes = lengthBytesAt(delta, deltaAt, bytesMax);
    const equal = lengthAt(delta, deltaAt, equalLengthBytes);
    deltaAt += equalLengthBytes;
    const runLengthBytes = lengthBytesAt(delta, deltaAt, bytesMax);
    const length = lengthAt(delta, deltaAt, runLengthBytes);
    deltaAt += runLengthBytes;
    if (equalLengthBytes === 0 || runLengthBytes === 0) throw malformed('a length is cut off, too long or padded');
    // Runs are as long as they can be, so only the first one may follow upon no equal bytes.
    if (length === 0 || (equal === 0 && !isFirst)) throw malformed('a run is empty');
    pageAt += equal;
    if (pageAt + length > pageSizeBytes) throw malformed('it goes beyond the page');
    if (deltaAt + length > deltaEnd) throw malformed('it is cut off');
    if (page === undefined) {
      pageAt += length;
      deltaAt += length;
    } else {
      for (const runEnd = pageAt + length; pageAt < runEnd; pageAt++) page[pageAt] = delta[deltaAt++] ?? 0;
    }
  }
}

function malformed(why: string): GodwitError {
  return new GodwitError('ERR_GODWIT_DELTA_MALFORMED', `the delta is malformed: ${why}`);
}
