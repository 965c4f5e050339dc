import { GodwitError, type PageBitmap } from '@godwit/ports';
import { readVarint, VARINT_BYTES_MAX, varintBytes, writeVarint } from './varint.ts';
import { wordCountOf } from './word-bits.ts';
import type { WordOperations } from './word-operations.ts';
import { setRun } from './word-runs.ts';

/**
 * The bytes of a page set, version 1. Numbers are varints (seven bits a byte, lowest first, no longer than need be).
 *
 * | bytes | |
 * | --- | --- |
 * | 4 | `47 50 53 01`: "GPS" and the version |
 * | varint | the number of pages |
 * | varint | the number of chunks that follow |
 *
 * A chunk is 65,536 neighbouring pages (the last one may be shorter); chunks without a page in the set are left out. Each
 * begins with a varint: twice the number of chunks left out just before it, plus its form, whichever is shorter.
 *
 * - Form 0, runs: a varint with the number of runs, at least 1; then for each run a varint with the pages between it and
 *   the run before it, less 1 (for the first run: the pages before it in the chunk), and a varint with its pages, less 1.
 * - Form 1, bitmap: a bit for each page of the chunk, page 0 the lowest of the first byte; 8,192 bytes, or in a shorter
 *   chunk as many as its pages need.
 */
const HEADER: Uint8Array = Uint8Array.of(0x47, 0x50, 0x53, 0x01);
const CHUNK_PAGES = 65_536;
const CHUNK_WORDS = CHUNK_PAGES / 32;
const FORM_RUNS = 0;
const FORM_BITMAP = 1;
/** From so many runs on the bitmap is the shorter form, as a run takes two bytes at least. */
const BITMAP_RUN_COUNT_MIN = CHUNK_PAGES / 8 / 2;
/** 32 MiB of words: 1 TiB in pages of 4 KiB. */
const PAGE_COUNT_MAX_DEFAULT = 268_435_456;

/** What `PageSet.fromBytes` accepts. */
export interface FromBytesOptions {
  /** More pages than this are refused. Default: 268,435,456, whose set takes 32 MiB. */
  readonly pageCountMax?: number;
}

/** `bitmap` as bytes. Each chunk is copied before it is looked at, so pages may be marked or fetched meanwhile. */
export function encodePageSet(bitmap: PageBitmap, operations: WordOperations): Uint8Array<ArrayBuffer> {
  const { pageCount, words } = bitmap;
  const copy = new Uint32Array(CHUNK_WORDS);
  const chunks = new ChunkWriter(operations);
  let leftOut = 0;
  let page = operations.nextBit(words, 0, true);
  let index = 0;
  while (page < pageCount) {
    const found = Math.floor(page / CHUNK_PAGES);
    leftOut += found - index;
    const chunk = copy.subarray(0, Math.min(CHUNK_WORDS, words.length - found * CHUNK_WORDS));
    chunk.set(words.subarray(found * CHUNK_WORDS, found * CHUNK_WORDS + chunk.length));
    const hasPages = chunks.write(chunk, Math.min(CHUNK_PAGES, pageCount - found * CHUNK_PAGES), leftOut);
    leftOut = hasPages ? 0 : leftOut + 1;
    index = found + 1;
    const next = index * CHUNK_PAGES;
    page = next < pageCount ? operations.nextBit(words, next, true) : pageCount;
  }
  return chunks.bytes(pageCount);
}

/**
 * The bitmap in `bytes`.
 * @throws GodwitError `ERR_GODWIT_PAGE_SET_MALFORMED`
 * @throws TypeError where `bytes` are no `Uint8Array`
 */
export function decodePageSet(bytes: Uint8Array, pageCountMax: number = PAGE_COUNT_MAX_DEFAULT): PageBitmap {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('the bytes of a page set are a Uint8Array');
  if (!HEADER.every((byte, index) => bytes[index] === byte)) throw malformed('they begin otherwise');
  const reader = new Reader(bytes, HEADER.length);
  const pageCount = reader.number();
  if (pageCount > pageCountMax) throw malformed(`${pageCount} pages are more than ${pageCountMax}`);
  const chunkCount = reader.number();
  const chunkCountMax = Math.ceil(pageCount / CHUNK_PAGES);
  if (chunkCount > chunkCountMax) throw malformed(`${chunkCount} chunks are more than ${pageCount} pages have`);
  const words = new Uint32Array(wordCountOf(pageCount));
  let index = 0;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const head = reader.number();
    index += Math.floor(head / 2);
    if (index >= chunkCountMax) throw malformed(`chunk ${index} lies beyond page ${pageCount}`);
    const firstPage = index * CHUNK_PAGES;
    const chunkPages = Math.min(CHUNK_PAGES, pageCount - firstPage);
    if (head % 2 === FORM_RUNS) readRuns(reader, words, firstPage, chunkPages);
    else readBitmap(reader, words, firstPage, chunkPages);
    index++;
  }
  if (!reader.isAtEnd()) throw malformed('more bytes follow the last chunk');
  return { pageCount, words };
}

/** Collects chunks in a buffer that doubles when it is full. */
class ChunkWriter {
  readonly #operations: WordOperations;
  readonly #runs: Uint32Array = new Uint32Array(2 * BITMAP_RUN_COUNT_MIN);
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  #length = 0;
  #chunkCount = 0;

  constructor(operations: WordOperations) {
    this.#operations = operations;
  }

  /** Writes a chunk unless it is empty; says which. */
  write(chunk: Uint32Array, chunkPages: number, leftOut: number): boolean {
    const runCount = this.#operations.runCount(chunk);
    if (runCount === 0) return false;
    const bitmapBytes = Math.ceil(chunkPages / 8);
    this.#makeRoom(VARINT_BYTES_MAX + bitmapBytes);
    const runs = runCount < BITMAP_RUN_COUNT_MIN ? this.#runsOf(chunk, chunkPages) : undefined;
    if (runs !== undefined && bytesOfRuns(runs) <= bitmapBytes) {
      this.#number(2 * leftOut + FORM_RUNS);
      this.#number(runs.length / 2);
      eachRunNumber(runs, (value) => this.#number(value));
    } else {
      this.#number(2 * leftOut + FORM_BITMAP);
      this.#bitmap(chunk, bitmapBytes);
    }
    this.#chunkCount++;
    return true;
  }

  bytes(pageCount: number): Uint8Array<ArrayBuffer> {
    const head = new Uint8Array(HEADER.length + 2 * VARINT_BYTES_MAX);
    head.set(HEADER);
    const headLength = writeVarint(head, writeVarint(head, HEADER.length, pageCount), this.#chunkCount);
    const bytes = new Uint8Array(headLength + this.#length);
    bytes.set(head.subarray(0, headLength));
    bytes.set(this.#bytes.subarray(0, this.#length), headLength);
    return bytes;
  }

  #runsOf(chunk: Uint32Array, chunkPages: number): Uint32Array {
    return this.#runs.subarray(0, this.#operations.fillRuns(chunk, chunkPages, this.#runs));
  }

  #number(value: number): void {
    this.#length = writeVarint(this.#bytes, this.#length, value);
  }

  #bitmap(chunk: Uint32Array, bitmapBytes: number): void {
    for (let index = 0; index < bitmapBytes; index++) {
      this.#bytes[this.#length++] = (chunk[index >>> 2] ?? 0) >>> (8 * (index & 3));
    }
  }

  #makeRoom(wanted: number): void {
    if (this.#length + wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#bytes.length + wanted));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads numbers and bytes one after the other; throws where there are none. */
class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  number(): number {
    const varint = readVarint(this.#bytes, this.#at);
    if (varint === undefined) throw malformed(`there is no number at byte ${this.#at}`);
    this.#at = varint.end;
    return varint.value;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw malformed('they are cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
}

function readRuns(reader: Reader, words: Uint32Array, firstPage: number, chunkPages: number): void {
  const runCount = reader.number();
  if (runCount === 0) throw malformed('a chunk has no page');
  let at = 0;
  for (let run = 0; run < runCount; run++) {
    at += reader.number() + (run === 0 ? 0 : 1);
    const pageCount = reader.number() + 1;
    if (at + pageCount > chunkPages) throw malformed(`a run leaves its chunk, which begins at page ${firstPage}`);
    setRun(words, firstPage + at, pageCount);
    at += pageCount;
  }
}

function readBitmap(reader: Reader, words: Uint32Array, firstPage: number, chunkPages: number): void {
  const bytes = reader.take(Math.ceil(chunkPages / 8));
  const firstWord = firstPage / 32;
  let union = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    union |= byte;
    const word = firstWord + (index >>> 2);
    words[word] = (words[word] ?? 0) | (byte << (8 * (index & 3)));
  }
  if (union === 0) throw malformed('a chunk has no page');
  const strayBits = chunkPages % 8 === 0 ? 0 : (bytes[bytes.length - 1] ?? 0) >>> (chunkPages % 8);
  if (strayBits !== 0) throw malformed('the last chunk has pages beyond the last');
}

function bytesOfRuns(runs: Uint32Array): number {
  let bytes = varintBytes(runs.length / 2);
  eachRunNumber(runs, (value) => {
    bytes += varintBytes(value);
  });
  return bytes;
}

/** What stands in form 0 for each run: the pages before it, and its own less 1. */
function eachRunNumber(runs: Uint32Array, write: (value: number) => void): void {
  let end = -1;
  for (let index = 0; index < runs.length; index += 2) {
    const [firstPage, pageCount] = [runs[index] ?? 0, runs[index + 1] ?? 0];
    write(index === 0 ? firstPage : firstPage - end - 1);
    write(pageCount - 1);
    end = firstPage + pageCount;
  }
}

function malformed(what: string): GodwitError {
  return new GodwitError('ERR_GODWIT_PAGE_SET_MALFORMED', `these are not the bytes of a page set: ${what}`);
}
