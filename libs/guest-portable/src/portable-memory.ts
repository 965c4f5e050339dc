import { PageSet, wordCountOf } from '@godwit/page-set';
import { GodwitError, type GuestMemory, type PageBitmap } from '@godwit/ports';
import { PORTABLE_PAGE_BYTES } from './portable-config.ts';

const BLOCK_PAGES = 64;
const ZEROS: Uint8Array = new Uint8Array(BLOCK_PAGES * PORTABLE_PAGE_BYTES);
/** After so many the event loop gets its turn. */
const TURN_BLOCKS = 256;

/** Memory of a portable guest and the marks of its program, both shared with a thread. */
export class PortableMemory implements GuestMemory {
  readonly pageSizeBytes: number = PORTABLE_PAGE_BYTES;
  readonly pageCount: number;
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly softwareMarks: Uint32Array;
  /** The first page, as `CONTROL_WORDS` has it. */
  readonly control: BigInt64Array;
  readonly #usedPages: number;

  /** @throws GodwitError `ERR_GODWIT_MEMORY_SHORT` */
  constructor(memoryBytes: number, usedPages: number) {
    this.pageCount = memoryBytes / PORTABLE_PAGE_BYTES;
    this.#usedPages = usedPages;
    try {
      this.buffer = new SharedArrayBuffer(memoryBytes);
    } catch (cause) {
      throw new GodwitError('ERR_GODWIT_MEMORY_SHORT', `no ${memoryBytes} bytes of shared memory for the guest`, {
        cause,
      });
    }
    this.bytes = new Uint8Array(this.buffer);
    this.control = new BigInt64Array(this.buffer, 0, PORTABLE_PAGE_BYTES / 8);
    this.softwareMarks = new Uint32Array(new SharedArrayBuffer(wordCountOf(this.pageCount) * 4));
  }

  /**
   * Nobody tells which pages of shared memory are populated: those that are not zero count. Looks only at what the layout
   * uses, as nothing is ever written behind it.
   */
  async present(into: PageBitmap): Promise<number> {
    const pages = PageSet.of(into);
    if (pages.pageCount !== this.pageCount) {
      throw new RangeError(`a set of ${pages.pageCount} pages meets a memory of ${this.pageCount}`);
    }
    let present = 0;
    for (let page = 0, blocks = 0; page < this.#usedPages; page += BLOCK_PAGES, blocks++) {
      if (blocks % TURN_BLOCKS === TURN_BLOCKS - 1) await new Promise<void>((resolve) => setImmediate(resolve));
      const end = Math.min(page + BLOCK_PAGES, this.#usedPages);
      if (this.#isZero(page, end)) continue;
      for (let candidate = page; candidate < end; candidate++) {
        if (this.#isZero(candidate, candidate + 1)) continue;
        pages.add(candidate);
        present++;
      }
    }
    return present;
  }

  #isZero(firstPage: number, endPage: number): boolean {
    const bytes = this.bytes.subarray(firstPage * PORTABLE_PAGE_BYTES, endPage * PORTABLE_PAGE_BYTES);
    return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
  }
}
