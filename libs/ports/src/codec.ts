import type { Backend, Capsule } from './capsule.ts';

/** What is to be sent for a page: nothing, a delta against what was sent last, or the page itself. */
export type CodedOutcome = 'unchanged' | 'delta' | 'raw';

export interface CodedPage {
  readonly outcome: CodedOutcome;
  /** Bytes written to the output: 0, the delta's length, or the page size. */
  readonly lengthBytes: number;
}

/** The sender's half: remembers what was sent last, within a bounded cache. */
export interface PageEncoder {
  readonly capsule?: Capsule<'codec'>;
  readonly pageSizeBytes: number;
  /**
   * Encodes `current`, the content of page `page` now, into `into` (at least a page long), and remembers it as sent.
   * The page may change while it is encoded: what is written and what is remembered are the same snapshot.
   */
  encode(page: number, current: Uint8Array, into: Uint8Array): CodedPage;
  /** The receiver holds something else of this page than was encoded last (it was sent as zero, or around the encoder). */
  forget(page: number): void;
  close(): void;
}

/** The receiver's half. */
export interface PageDecoder {
  readonly capsule?: Capsule<'codec'>;
  readonly pageSizeBytes: number;
  /**
   * Applies a delta to the page it was made against.
   * @throws GodwitError `ERR_GODWIT_DELTA_MALFORMED`; the page is untouched.
   * @throws RangeError for a page of another size, or a delta that overlaps it; the page is untouched.
   */
  decode(delta: Uint8Array, page: Uint8Array): void;
  close(): void;
}

/** A way to send less than a page for a page that was sent before. */
export interface PageCodec {
  readonly name: string;
  /** Names the codec on the wire; 1 to 255. */
  readonly code: number;
  readonly backend: Backend;
  createEncoder(options: { readonly pageSizeBytes: number; readonly cacheBytes: number }): PageEncoder;
  createDecoder(options: { readonly pageSizeBytes: number }): PageDecoder;
}
