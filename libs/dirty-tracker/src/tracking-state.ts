import { GodwitError, type PageBitmap } from '@godwit/ports';

/** Where a tracker stands, with the checks that all trackers share. */
export class TrackingState {
  readonly #name: string;
  readonly #pageCount: number;
  #state: 'stopped' | 'started' | 'closed' = 'stopped';

  constructor(name: string, pageCount: number) {
    this.#name = name;
    this.#pageCount = pageCount;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** @throws GodwitError `ERR_GODWIT_CLOSED` */
  checkOpen(): void {
    if (this.closed) throw new GodwitError('ERR_GODWIT_CLOSED', `the tracker ${this.#name} was used after close`);
  }

  /**
   * Before a collection.
   * @throws GodwitError `ERR_GODWIT_CLOSED`, or `ERR_GODWIT_NOT_TRACKING` before `start`
   * @throws RangeError where `into` is a bitmap over another number of pages
   */
  checkCollect(into: PageBitmap): void {
    this.checkOpen();
    if (this.#state !== 'started') {
      throw new GodwitError('ERR_GODWIT_NOT_TRACKING', `the tracker ${this.#name} was not started`);
    }
    if (into.pageCount !== this.#pageCount) {
      throw new RangeError(`a bitmap over ${into.pageCount} pages for a memory of ${this.#pageCount}`);
    }
  }

  started(): void {
    if (!this.closed) this.#state = 'started';
  }

  stopped(): void {
    if (!this.closed) this.#state = 'stopped';
  }

  /** Whether this call closed it. */
  close(): boolean {
    const first = !this.closed;
    this.#state = 'closed';
    return first;
  }
}
