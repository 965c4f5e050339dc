import { type Backend, GodwitError, type PageCodec } from '@godwit/ports';
import { checkBytes, checkPageBytes, checkPageSize, checkThere } from './codec-arguments.ts';
import { type CodecCore, nativeCoreOf, typescriptCore } from './codec-core.ts';
import { withCodes } from './coded-failure.ts';
import { encoderPlanOf, type XbzrleEncoderOptions } from './encoder-options.ts';
import type { Isa } from './isa.ts';
import { loadNative } from './native.ts';
import { checkDecodeBatch, checkEncodeBatch, type DecodeBatch, type EncodeBatch } from './page-batch.ts';
import { createPageDecoder } from './page-decoder.ts';
import { createPageEncoder, type XbzrleEncoder } from './page-encoder.ts';

export type { XbzrleEncoder } from './page-encoder.ts';

export interface XbzrleCodecOptions {
  /** Default: native where it is there, else TypeScript. Naming one means that one or an error. */
  readonly backend?: Backend;
  /** An instruction set instead of the fastest one; means the native backend. */
  readonly isa?: Isa;
}

/** The codec of the port, and single pages without a cache. Page sizes are powers of two from 512 bytes to 1 MiB. */
export interface XbzrleCodec extends PageCodec {
  readonly name: 'xbzrle';
  readonly code: 1;
  /**
   * @throws RangeError for another page size, a cache that does not hold one page, or other numbers out of range
   * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where there is not enough memory
   */
  createEncoder(options: XbzrleEncoderOptions): XbzrleEncoder;
  /**
   * Writes the delta from `old` to `current` to the beginning of `into`; whatever the outcome, all of `into` may be
   * overwritten. Nobody may write the pages meanwhile (an encoder takes care of that itself).
   *
   * @returns the delta's length in bytes, 0 where the pages are equal, -1 where the delta does not fit into `into`. As in
   * QEMU a delta fits if there is room for the longest length (2 bytes; 3 for pages above 8 KiB) wherever one may follow.
   * @throws RangeError for pages of different or other sizes, or an output that overlaps one or is gone (detached, shrunk)
   */
  encodePage(old: Uint8Array, current: Uint8Array, into: Uint8Array): number;
  /**
   * Applies a delta to the page it was made against.
   * @throws GodwitError `ERR_GODWIT_DELTA_MALFORMED`; the page is untouched
   * @throws RangeError for a page of another size, or a delta that overlaps it
   */
  decodePage(delta: Uint8Array, page: Uint8Array): void;
  /**
   * `encodePage` for many pages in one call. Nobody may write the pages meanwhile.
   *
   * @returns the bytes of `into` that the deltas take
   * @throws RangeError before anything is written, for lengths and pages that do not go together, or an output that overlaps
   * a region or `pages`, or is gone
   */
  encodePages(batch: EncodeBatch): number;
  /**
   * `decodePage` for many pages in one call.
   *
   * @returns how many deltas were applied
   * @throws GodwitError `ERR_GODWIT_DELTA_MALFORMED`, naming the entry; its page is untouched, those before it are done
   * @throws RangeError before anything is written, for lengths and pages that do not go together, or deltas or `pages` that
   * overlap the memory
   */
  decodePages(batch: DecodeBatch): number;
}

/**
 * Makes the codec.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native build, or the processor's part of it, is missing
 * @throws TypeError for an instruction set without the native backend
 */
export function createXbzrleCodec(options: XbzrleCodecOptions = {}): XbzrleCodec {
  const core = chooseCore(options);
  const decodePage = (delta: Uint8Array, page: Uint8Array): void =>
    withCodes(() => {
      core.decodePage(delta, page);
    });
  return {
    name: 'xbzrle',
    code: 1,
    backend: core.backend,
    createEncoder(encoderOptions) {
      checkPageSize(encoderOptions.pageSizeBytes);
      const plan = encoderPlanOf(encoderOptions);
      return createPageEncoder(
        withCodes(() => core.createEncoder(plan)),
        plan,
      );
    },
    createDecoder({ pageSizeBytes }) {
      checkPageSize(pageSizeBytes);
      return createPageDecoder(decodePage, pageSizeBytes, core.createDecoderCapsule(pageSizeBytes));
    },
    encodePage(old, current, into) {
      checkBytes('old page', old);
      checkPageSize(old.length);
      checkPageBytes('current page', current, old.length);
      checkBytes('output', into);
      checkThere('output', into);
      return core.encodePage(old, current, into);
    },
    decodePage(delta, page) {
      checkBytes('delta', delta);
      checkBytes('page', page);
      checkPageSize(page.length);
      decodePage(delta, page);
    },
    encodePages(batch) {
      checkEncodeBatch(batch);
      return core.encodePages(batch);
    },
    decodePages(batch) {
      checkDecodeBatch(batch);
      return withCodes(() => core.decodePages(batch));
    },
  };
}

function chooseCore({ backend, isa }: XbzrleCodecOptions): CodecCore {
  if (backend !== undefined && backend !== 'native' && backend !== 'typescript') {
    throw new TypeError(`there is no backend ${String(backend)}`);
  }
  if (backend === 'typescript') {
    if (isa !== undefined) throw new TypeError('an instruction set can be chosen on the native backend only');
    return typescriptCore;
  }
  const { addon, error } = loadNative();
  if (addon === undefined) {
    if (backend === undefined && isa === undefined) return typescriptCore;
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native build of @godwit/codec-xbzrle is missing here', {
      cause: error,
    });
  }
  if (isa !== undefined && !addon.isas().includes(isa)) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this processor or this build has no ${isa} encoder`);
  }
  return nativeCoreOf(addon, isa);
}
