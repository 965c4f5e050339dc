import { type Backend, type Capsule, GodwitError } from '@godwit/ports';
import { decodeDelta } from './decode.ts';
import { encodeDelta } from './encode.ts';
import type { EncoderCore } from './encoder-core.ts';
import type { Isa } from './isa.ts';
import type { NativeAddon } from './native.ts';
import { TypescriptEncoder } from './typescript-encoder.ts';

/** The part of the codec that is native or TypeScript. Arguments have been checked. */
export interface CodecCore {
  readonly backend: Backend;
  encodePage(old: Uint8Array, current: Uint8Array, into: Uint8Array): number;
  decodePage(delta: Uint8Array, page: Uint8Array): void;
  createEncoder(pageSizeBytes: number, cacheBytes: number): EncoderCore;
  createDecoderCapsule(pageSizeBytes: number): Capsule<'codec'> | undefined;
}

export const typescriptCore: CodecCore = {
  backend: 'typescript',
  encodePage: encodeDelta,
  decodePage: decodeDelta,
  createEncoder(pageSizeBytes, cacheBytes) {
    try {
      return new TypescriptEncoder(pageSizeBytes, cacheBytes);
    } catch (cause) {
      throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'there is not enough memory for the cache', { cause });
    }
  },
  createDecoderCapsule: () => undefined,
};

export function nativeCoreOf(addon: NativeAddon, isa: Isa | undefined): CodecCore {
  return {
    backend: 'native',
    encodePage: (old, current, into) => addon.encodePage(old, current, into, isa),
    decodePage: (delta, page) => addon.decodePage(delta, page),
    createEncoder(pageSizeBytes, cacheBytes) {
      const encoder = new addon.NativeEncoder(pageSizeBytes, cacheBytes, isa);
      return {
        capsule: encoder.createCapsule(),
        encode: (page, current, into) => encoder.encode(page, current, into),
        forget: (page) => encoder.forget(page),
        statistics: () => encoder.statistics(),
        close: () => encoder.close(),
      };
    },
    createDecoderCapsule: (pageSizeBytes) => addon.createDecoderCapsule(pageSizeBytes),
  };
}
