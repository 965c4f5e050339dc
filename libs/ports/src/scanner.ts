import type { Backend, Capsule } from './capsule.ts';
import type { PageBitmap } from './page-bitmap.ts';

/** Finds pages that hold only zero bytes. */
export interface ZeroPageScanner {
  readonly name: string;
  readonly backend: Backend;
  readonly capsule?: Capsule<'scanner'>;
  /**
   * Sets the bits of the zero pages of `memory` in `into` and clears the others; looks only at the pages in
   * `candidates` when given. Returns the number of zero pages.
   */
  scan(memory: Uint8Array, pageSizeBytes: number, into: PageBitmap, candidates?: PageBitmap): number;
}
