import { PageSet } from '@godwit/page-set';
import type { PageBitmap } from '@godwit/ports';

/** Defects on purpose in the portable pump, as `native/injected_fault.rs` has them; never active unless asked for. */

/** The tracker forgets one dirty page in `oneIn`: the first it reports and every `oneIn`-th after it, for good. */
export class ForgottenPages {
  readonly #oneIn: number;
  readonly #forgotten = new Set<number>();
  #seen = 0;

  constructor(oneIn: number) {
    this.#oneIn = Math.max(1, oneIn);
  }

  takeFrom(dirty: PageBitmap): void {
    const set = PageSet.of(dirty);
    for (const page of [...set.pages()]) {
      if (this.#seen % this.#oneIn === 0) this.#forgotten.add(page);
      this.#seen += 1;
      if (this.#forgotten.has(page)) set.delete(page);
    }
  }
}

/** The pump sends half of an old page: keeps what was sent before, and once mixes it into a page that has changed since. */
export class TornPage {
  readonly #sent = new Map<number, Uint8Array>();
  #torn = false;

  remember(page: number, bytes: Uint8Array): void {
    this.#sent.set(page, bytes.slice());
  }

  /** A copy with one old half, for the first page that has changed since it was remembered; else the page itself. */
  tear(page: number, bytes: Uint8Array): Uint8Array {
    const old = this.#sent.get(page);
    if (this.#torn || old === undefined) return bytes;
    const mixed = bytes.slice();
    const half = bytes.length / 2;
    if (Buffer.compare(mixed.subarray(half), old.subarray(half)) !== 0) mixed.set(old.subarray(half), half);
    else if (Buffer.compare(mixed.subarray(0, half), old.subarray(0, half)) !== 0) mixed.set(old.subarray(0, half));
    else return bytes;
    this.#torn = true;
    return mixed;
  }
}

/** The destination keeps an old page: the first that is installed a second time stays as it was. */
export class StalePage {
  #page: number | undefined;

  keeps(page: number, installedBefore: boolean): boolean {
    if (this.#page === undefined && installedBefore) this.#page = page;
    return this.#page === page;
  }
}
