/**
 * XBZRLE: what changed in a page since it was last sent, in the format that QEMU speaks. Encoder, decoder and page cache,
 * native where the build is there and in TypeScript everywhere.
 *
 * @example
 * import { createXbzrleCodec } from '@godwit/codec-xbzrle';
 *
 * const codec = createXbzrleCodec();
 * const encoder = codec.createEncoder({ pageSizeBytes: 4096, cacheBytes: 64 * 2 ** 20 });
 * const page = new Uint8Array(4096);
 * const out = new Uint8Array(4096);
 * encoder.encode(7, page, out); // { outcome: 'raw', lengthBytes: 4096 }
 * page[100] = 1;
 * encoder.encode(7, page, out); // { outcome: 'delta', lengthBytes: 3 }
 *
 * @packageDocumentation
 */
export { QEMU_PAGE_SIZE_BYTES_MAX } from './delta-format.ts';
export type { AdaptiveOptions, XbzrleEncoderOptions } from './encoder-options.ts';
export type { XbzrleStatistics } from './encoder-statistics.ts';
export * from './isa.ts';
export type { DecodeBatch, EncodeBatch } from './page-batch.ts';
export * from './xbzrle-codec.ts';
