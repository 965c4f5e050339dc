import { GodwitError, type PageRuns } from '@godwit/ports';

/** The body of PAGES and ZERO: count, then pairs of first page and count. */
export function encodeRuns(runs: readonly number[]): Uint8Array {
  const body = Buffer.alloc(4 + runs.length * 4);
  body.writeUInt32LE(runs.length / 2, 0);
  runs.forEach((value, index) => {
    body.writeUInt32LE(value, 4 + index * 4);
  });
  return body;
}

/**
 * Reads the body of PAGES or ZERO: every run is non-empty and inside the memory, there are no more pages than the memory
 * has, and the length is exactly right.
 * @throws GodwitError `ERR_GODWIT_FRAME_MALFORMED`, `ERR_GODWIT_PAGE_RANGE`
 */
export function decodeRuns(body: Uint8Array, memoryPages: number): PageRuns {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (bytes.length < 4 || bytes.length - 4 !== bytes.readUInt32LE(0) * 8) throw malformed('a list of pages');
  const runs = new Uint32Array((bytes.length - 4) / 4);
  let namedPages = 0;
  for (let index = 0; index < runs.length; index += 2) {
    const [firstPage, pageCount] = [bytes.readUInt32LE(4 + index * 4), bytes.readUInt32LE(8 + index * 4)];
    if (pageCount === 0) throw malformed('a list of pages');
    if (firstPage + pageCount > memoryPages) throw outside(firstPage + pageCount - 1);
    runs[index] = firstPage;
    runs[index + 1] = pageCount;
    namedPages += pageCount;
    // A page is named once. Without the bound a frame of 2 MiB could ask for 262,144 times all of memory.
    if (namedPages > memoryPages) throw malformed('a list of pages');
  }
  return runs;
}

/** One delta of a DELTA frame. */
export interface Delta {
  readonly page: number;
  readonly bytes: Uint8Array;
}

/** The body of DELTA: count, pairs of page and length, then the deltas. */
export function encodeDeltas(deltas: readonly Delta[]): Uint8Array {
  const table = encodeRuns(deltas.flatMap(({ page, bytes }) => [page, bytes.length]));
  return Buffer.concat([table, ...deltas.map(({ bytes }) => bytes)]);
}

/**
 * Reads the body of DELTA: lengths add up exactly, no delta is empty or longer than a page, every page is inside the
 * memory.
 * @throws GodwitError `ERR_GODWIT_FRAME_MALFORMED`, `ERR_GODWIT_PAGE_RANGE`
 */
export function decodeDeltas(body: Uint8Array, memoryPages: number, pageSizeBytes: number): Delta[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const count = bytes.length < 4 ? Number.POSITIVE_INFINITY : bytes.readUInt32LE(0);
  let offset = 4 + count * 8;
  if (offset > bytes.length) throw malformed('a list of deltas');
  const deltas: Delta[] = [];
  for (let index = 0; index < count; index += 1) {
    const [page, length] = [bytes.readUInt32LE(4 + index * 8), bytes.readUInt32LE(8 + index * 8)];
    if (page >= memoryPages) throw outside(page);
    if (length === 0 || length > pageSizeBytes || offset + length > bytes.length) throw malformed('a list of deltas');
    deltas.push({ page, bytes: body.subarray(offset, offset + length) });
    offset += length;
  }
  if (offset !== bytes.length) throw malformed('a list of deltas');
  return deltas;
}

function malformed(what: string): GodwitError {
  return new GodwitError('ERR_GODWIT_FRAME_MALFORMED', `${what} from the source that contradicts itself`);
}

function outside(page: number): GodwitError {
  return new GodwitError('ERR_GODWIT_PAGE_RANGE', `page ${page} from the source lies outside the memory`);
}
