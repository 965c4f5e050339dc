import { randomUUID } from 'node:crypto';
import { type Backend, GodwitError, type Guest, type GuestDescription, type SelfCheck } from '@godwit/ports';

const PAGE_BYTES = 4096;
const STATE_BYTES = 24;
const MAGIC = 0x53494d50;

/**
 * A guest of a few pages without threads: while it runs it writes a page at each turn of the event loop, number and
 * complement, marks it, and checks the page it will write next. Cheap enough to be made a thousand times.
 */
export class SimpleGuest implements Guest {
  readonly kind = 'simple';
  readonly backend: Backend = 'typescript';
  readonly stateBytesMax: number = STATE_BYTES;
  readonly memory: {
    readonly pageSizeBytes: number;
    readonly pageCount: number;
    readonly bytes: Uint8Array;
    readonly softwareMarks: Uint32Array;
    present(into: { readonly words: Uint32Array }): Promise<number>;
  };
  readonly name: string = randomUUID();
  /** What `resume` shall fail with. */
  failToResume: Error | undefined;
  running = false;
  closed = false;
  readonly #words: Uint32Array;
  #ticks = 0;
  #errors = 0;

  constructor(pageCount = 64) {
    const bytes = new Uint8Array(new SharedArrayBuffer(pageCount * PAGE_BYTES));
    const softwareMarks = new Uint32Array(new SharedArrayBuffer(Math.ceil(pageCount / 32) * 4));
    this.#words = new Uint32Array(bytes.buffer);
    this.memory = {
      pageSizeBytes: PAGE_BYTES,
      pageCount,
      bytes,
      softwareMarks,
      present: async ({ words }) => {
        let count = 0;
        for (let page = 0; page < pageCount; page += 1) {
          if (!this.page(page).some((byte) => byte !== 0)) continue;
          words[page >>> 5] = (words[page >>> 5] ?? 0) | (1 << (page & 31));
          count += 1;
        }
        return count;
      },
    };
  }

  page(page: number): Uint8Array {
    return this.memory.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }

  describe(): GuestDescription {
    const { pageCount } = this.memory;
    return {
      kind: this.kind,
      memoryBytes: pageCount * PAGE_BYTES,
      pageSizeBytes: PAGE_BYTES,
      workload: 'ticks',
      config: { pageCount },
    };
  }

  /** The empty twin; the description may come from anybody. */
  static restore({ config }: GuestDescription): SimpleGuest {
    const { pageCount } = config;
    if (typeof pageCount !== 'number' || !Number.isInteger(pageCount) || pageCount < 1 || pageCount > 1024) {
      throw new GodwitError('ERR_GODWIT_REFUSED', 'not the config of a simple guest');
    }
    return new SimpleGuest(pageCount);
  }

  async pause(): Promise<void> {
    this.running = false;
  }

  async resume(): Promise<void> {
    if (this.closed) throw new GodwitError('ERR_GODWIT_CLOSED');
    if (this.failToResume !== undefined) throw this.failToResume;
    if (this.running) return;
    this.running = true;
    this.#tick();
  }

  async saveState(): Promise<Uint8Array> {
    const state = new Uint32Array([MAGIC, this.memory.pageCount, this.#ticks, this.#errors, 0, 0]);
    return new Uint8Array(state.buffer);
  }

  async loadState(state: Uint8Array): Promise<void> {
    const words = new Uint32Array(state.slice().buffer, 0, Math.floor(state.length / 4));
    if (state.length !== STATE_BYTES || words[0] !== MAGIC || words[1] !== this.memory.pageCount) {
      throw new GodwitError('ERR_GODWIT_STATE_INVALID', 'not the state of this guest');
    }
    [, , this.#ticks = 0, this.#errors = 0] = words;
  }

  async announce(): Promise<void> {}

  async selfCheck(): Promise<SelfCheck> {
    return { ok: this.#errors === 0, errorCount: this.#errors, checkedCount: this.#ticks, detail: 'ticks' };
  }

  async close(): Promise<void> {
    this.running = false;
    this.closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #tick(): void {
    if (!this.running) return;
    const page = this.#ticks % this.memory.pageCount;
    const at = (page * PAGE_BYTES) / 4;
    const [number = 0, complement = 0] = this.#words.subarray(at, at + 2);
    const due = this.#ticks < this.memory.pageCount ? 0 : this.#ticks - this.memory.pageCount + 1;
    if (number !== due || complement !== (due === 0 ? 0 : ~due >>> 0)) this.#errors += 1;
    this.#ticks += 1;
    this.#words[at] = this.#ticks;
    this.#words[at + 1] = ~this.#ticks;
    Atomics.or(this.memory.softwareMarks, page >>> 5, 1 << (page & 31));
    setImmediate(() => this.#tick());
  }
}
