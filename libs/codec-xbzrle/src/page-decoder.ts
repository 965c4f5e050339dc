import { type Capsule, GodwitError, type PageDecoder } from '@godwit/ports';
import { checkBytes, checkPageBytes } from './codec-arguments.ts';

/** Puts the port around a core's decoder of single pages: checks arguments, refuses work after `close`. */
export function createPageDecoder(
  decode: (delta: Uint8Array, page: Uint8Array) => void,
  pageSizeBytes: number,
  capsule: Capsule<'codec'> | undefined,
): PageDecoder {
  let closed = false;
  return {
    ...(capsule === undefined ? {} : { capsule }),
    pageSizeBytes,
    decode(delta, page) {
      if (closed) throw new GodwitError('ERR_GODWIT_CLOSED', 'the decoder is closed');
      checkBytes('delta', delta);
      checkPageBytes('page', page, pageSizeBytes);
      decode(delta, page);
    },
    close() {
      closed = true;
    },
  };
}
