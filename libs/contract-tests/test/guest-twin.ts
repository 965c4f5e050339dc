import { GodwitError, type Guest, type GuestDescription, type GuestMemory, type SelfCheck } from '@godwit/ports';
import { setPage } from '../src/plain-bitmap.ts';

/** The ways in which a twin is broken; none is the sound one. */
export type Flaw =
  | 'none'
  | 'is made running'
  | 'writes while it is paused'
  | 'counts two resumes'
  | 'hides a page'
  | 'clears the bits of the caller'
  | 'saves half its state'
  | 'writes when it loads'
  | 'loads anything'
  | 'keeps what it refuses'
  | 'ends when it is saved'
  | 'runs after close'
  | 'describes more than JSON';

const PAGE_BYTES = 512;

/**
 * A guest whose program counts up through its memory, one byte after the other, and knows at each moment what must stand
 * there. Its processor is the event loop.
 */
export class GuestTwin implements Guest {
  readonly kind = 'twin';
  readonly backend = 'typescript';
  readonly stateBytesMax = 12;
  readonly memory: GuestMemory;
  readonly #flaw: Flaw;
  readonly #bytes: Uint8Array;
  #position = 0;
  #processors = 0;
  #closed = false;
  #ended = false;

  constructor(flaw: Flaw, pageCount = 16) {
    this.#flaw = flaw;
    const bytes = new Uint8Array(pageCount * PAGE_BYTES);
    this.#bytes = bytes;
    this.memory = {
      pageSizeBytes: PAGE_BYTES,
      pageCount,
      bytes,
      async present(into) {
        if (flaw === 'clears the bits of the caller') into.words.fill(0);
        let present = 0;
        for (let page = 0; page < pageCount; page++) {
          const content = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
          if (content.every((byte) => byte === 0) || (flaw === 'hides a page' && page === 0)) continue;
          setPage(into, page);
          present++;
        }
        return present;
      },
    };
    if (flaw === 'is made running') this.#processors = 1;
    if (flaw === 'writes while it is paused' || flaw === 'is made running') this.#turn();
  }

  get running(): boolean {
    return this.#processors > 0;
  }

  describe(): GuestDescription {
    const config = {
      pages: this.memory.pageCount,
      ...(this.#flaw === 'describes more than JSON' && { at: new Date() }),
    };
    const memoryBytes = this.#bytes.length;
    return { kind: this.kind, memoryBytes, pageSizeBytes: PAGE_BYTES, workload: 'counting', config };
  }

  async pause(): Promise<void> {
    this.#checkOpen();
    this.#processors = this.#flaw === 'counts two resumes' ? Math.max(0, this.#processors - 1) : 0;
  }

  async resume(): Promise<void> {
    this.#checkOpen();
    if (this.running && this.#flaw !== 'counts two resumes') return;
    this.#processors++;
    this.#turn();
  }

  async saveState(): Promise<Uint8Array> {
    this.#checkOpen();
    if (this.#flaw === 'ends when it is saved') this.#ended = true;
    const position = this.#flaw === 'saves half its state' ? this.#position & 0xf : this.#position;
    return new Uint8Array(Uint32Array.of(0x60d, this.memory.pageCount, position).buffer);
  }

  async loadState(state: Uint8Array): Promise<void> {
    this.#checkOpen();
    if (this.#flaw === 'writes when it loads') this.#bytes[9] = 255;
    const words = state.length === 12 ? new Uint32Array(state.slice().buffer) : new Uint32Array(3);
    if (words[0] !== 0x60d || words[1] !== this.memory.pageCount) {
      if (this.#flaw === 'loads anything') return;
      if (this.#flaw === 'keeps what it refuses') this.#bytes.fill(77, 0, 4);
      throw new GodwitError('ERR_GODWIT_STATE_INVALID');
    }
    this.#position = words[2] ?? 0;
  }

  async announce(): Promise<void> {}

  async selfCheck(): Promise<SelfCheck> {
    let errorCount = 0;
    for (let place = 0; place < this.#bytes.length; place++) {
      const times = Math.ceil((this.#position - place) / this.#bytes.length);
      if (this.#bytes[place] !== (Math.max(0, times) & 255)) errorCount++;
    }
    return { ok: errorCount === 0, errorCount, checkedCount: this.#bytes.length, detail: `${errorCount} bytes differ` };
  }

  async close(): Promise<void> {
    this.#processors = 0;
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #turn(): void {
    if (this.#closed || this.#ended || !(this.running || this.#flaw === 'writes while it is paused')) return;
    for (let writes = 0; writes < 100; writes++) {
      const place = this.#position++ % this.#bytes.length;
      this.#bytes[place] = (this.#bytes[place] ?? 0) + 1;
    }
    setImmediate(() => this.#turn());
  }

  #checkOpen(): void {
    if (this.#closed && this.#flaw !== 'runs after close') throw new GodwitError('ERR_GODWIT_CLOSED');
  }
}
