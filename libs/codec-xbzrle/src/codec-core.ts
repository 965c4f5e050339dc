import type { Backend, Capsule } from '@godwit/ports';
import { checkApart } from './codec-arguments.ts';
import { withCodes } from './coded-failure.ts';
import { decodeDelta } from './decode.ts';
import { decodeBatch } from './decode-batch.ts';
import { DeltaEncoder } from './encode.ts';
import { encodeBatch } from './encode-batch.ts';
import type { EncoderCore } from './encoder-core.ts';
import type { EncoderPlan } from './encoder-options.ts';
import type { Isa } from './isa.ts';
import type { NativeAddon, NativePageEncoder } from './native.ts';
import { checkDecodeBatchApart, checkEncodeBatchApart, type DecodeBatch, type EncodeBatch } from './page-batch.ts';
import { TypescriptEncoder } from './typescript-encoder.ts';

/**
 * The part of the codec that is native or TypeScript. Arguments have been checked, but for arrays that overlap: it refuses them
 * by a `RangeError`, as native code sees that sooner.
 */
export interface CodecCore {
  readonly backend: Backend;
  encodePage(old: Uint8Array, current: Uint8Array, into: Uint8Array): number;
  decodePage(delta: Uint8Array, page: Uint8Array): void;
  encodePages(batch: EncodeBatch): number;
  decodePages(batch: DecodeBatch): number;
  createEncoder(plan: EncoderPlan): EncoderCore;
  createDecoderCapsule(pageSizeBytes: number): Capsule<'codec'> | undefined;
}

/** One encoder for each page size that was asked for; there are not many. */
function kept<Encoder>(make: (pageSizeBytes: number) => Encoder): (pageSizeBytes: number) => Encoder {
  const encoders = new Map<number, Encoder>();
  return (pageSizeBytes) => {
    const known = encoders.get(pageSizeBytes);
    if (known !== undefined) return known;
    const encoder = make(pageSizeBytes);
    encoders.set(pageSizeBytes, encoder);
    return encoder;
  };
}

const typescriptEncoderOf = kept((pageSizeBytes) => new DeltaEncoder(pageSizeBytes));

export const typescriptCore: CodecCore = {
  backend: 'typescript',
  encodePage(old, current, into) {
    checkApart('output', into, old);
    checkApart('output', into, current);
    return typescriptEncoderOf(old.length).encode(old, current, into);
  },
  decodePage(delta, page) {
    checkApart('delta', delta, page);
    decodeDelta(delta, page);
  },
  encodePages(batch) {
    checkEncodeBatchApart(batch);
    return encodeBatch(typescriptEncoderOf(batch.pageSizeBytes), batch);
  },
  decodePages(batch) {
    checkDecodeBatchApart(batch);
    return decodeBatch(batch);
  },
  createEncoder: (plan) => new TypescriptEncoder(plan),
  createDecoderCapsule: () => undefined,
};

export function nativeCoreOf(addon: NativeAddon, isa: Isa | undefined): CodecCore {
  const encoderOf = kept((pageSizeBytes): NativePageEncoder => new addon.NativePageEncoder(pageSizeBytes, isa));
  return {
    backend: 'native',
    encodePage: (old, current, into) => withCodes(() => encoderOf(old.length).encodePage(old, current, into)),
    decodePage: (delta, page) => addon.decodePage(delta, page),
    encodePages({ old, current, pageSizeBytes, pages, into, lengthsBytes, deltaBytesMax = pageSizeBytes - 1 }) {
      return withCodes(() =>
        encoderOf(pageSizeBytes).encodePages(old, current, pages, into, lengthsBytes, deltaBytesMax),
      );
    },
    decodePages: ({ deltas, lengthsBytes, pages, memory, pageSizeBytes }) =>
      addon.decodePages(deltas, lengthsBytes, pages, memory, pageSizeBytes),
    createEncoder({ pageSizeBytes, cacheBytes, deltaBytesMax, backOff }) {
      const encoder = new addon.NativeEncoder(pageSizeBytes, cacheBytes, deltaBytesMax, backOff, isa);
      return {
        capsule: encoder.createCapsule(),
        encode: (page, current, into) => encoder.encode(page, current, into),
        forget: (page) => encoder.forget(page),
        resize: (bytes) => encoder.resize(bytes),
        statistics: () => encoder.statistics(),
        close: () => encoder.close(),
      };
    },
    createDecoderCapsule: (pageSizeBytes) => addon.createDecoderCapsule(pageSizeBytes),
  };
}
