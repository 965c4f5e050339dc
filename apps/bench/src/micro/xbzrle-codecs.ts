import { availableIsas, createXbzrleCodec, type XbzrleCodec } from '@godwit/codec-xbzrle';
import type { Backend } from '@godwit/ports';
import { check, type MicroContext } from './micro-context.ts';
import type { ChangedPages } from './xbzrle-contents.ts';

export const PAGE_BYTES = 4096;

/** A codec to measure: of an instruction set, or in TypeScript. */
export interface CodecVariant {
  readonly name: string;
  readonly backend: Backend;
  readonly codec: XbzrleCodec;
}

/** Ours with each instruction set that was asked for, fastest first. */
export function nativeCodecs({ wants }: MicroContext): readonly CodecVariant[] {
  // Throws where the native build is missing: what is not there is not measured in silence.
  createXbzrleCodec({ backend: 'native' });
  return availableIsas()
    .filter(wants)
    .map((isa) => ({ name: isa, backend: 'native', codec: createXbzrleCodec({ isa }) }));
}

/** Ours without native code. */
export function typescriptCodec(): CodecVariant {
  return { name: 'typescript', backend: 'typescript', codec: createXbzrleCodec({ backend: 'typescript' }) };
}

/** Pages as one call encodes them: `count` of them, taken from the pages over and over so that these stay in cache. */
export interface Batch extends ChangedPages {
  readonly pages: Uint32Array;
  readonly into: Uint8Array;
  readonly lengthsBytes: Int32Array;
}

/** A batch of `count` pages. */
export function batchOf(pages: ChangedPages, count: number): Batch {
  const pageCount = pages.old.length / PAGE_BYTES;
  return {
    ...pages,
    pages: Uint32Array.from({ length: count }, (_, index) => index % pageCount),
    into: new Uint8Array(count * PAGE_BYTES),
    lengthsBytes: new Int32Array(count),
  };
}

/** Encodes a batch; returns the bytes of all deltas. */
export function encodeBatch({ codec }: CodecVariant, batch: Batch): number {
  return codec.encodePages({ ...batch, pageSizeBytes: PAGE_BYTES });
}

/** What decodes: deltas, and the memory they are applied to. */
export interface Deltas {
  readonly deltas: Uint8Array;
  readonly lengthsBytes: Int32Array;
  readonly pages: Uint32Array;
  readonly memory: Uint8Array;
}

/** The deltas of a batch, to be applied to a copy of its old pages. */
export function deltasOf(variant: CodecVariant, batch: Batch): Deltas {
  const bytes = encodeBatch(variant, batch);
  return {
    deltas: batch.into.slice(0, bytes),
    lengthsBytes: batch.lengthsBytes.slice(),
    pages: batch.pages,
    memory: batch.old.slice(),
  };
}

/** Applies deltas. */
export function decodeBatch({ codec }: CodecVariant, deltas: Deltas): void {
  codec.decodePages({ ...deltas, pageSizeBytes: PAGE_BYTES });
}

/** Sees to it that a batch's deltas make the new pages out of the old ones. */
export function checkBatch(variant: CodecVariant, batch: Batch, name: string): void {
  const deltas = deltasOf(variant, batch);
  decodeBatch(variant, deltas);
  check(Buffer.compare(deltas.memory, batch.current) === 0, `${variant.name}, ${name}: decoded pages differ`);
}
