import type { Capsule } from '@godwit/ports';
import type { EncoderCounts } from './encoder-statistics.ts';

/** What encodes behind a page encoder: native code or TypeScript. Arguments have been checked. */
export interface EncoderCore {
  readonly capsule?: Capsule<'codec'>;
  /** Returns the bytes written: 0 for an unchanged page, the page size for a raw one, else those of a delta. */
  encode(page: number, current: Uint8Array, into: Uint8Array): number;
  forget(page: number): void;
  resize(cacheBytes: number): void;
  statistics(): EncoderCounts;
  close(): void;
}
