import { type DeltaEncoder, OVERFLOW } from './encode.ts';
import type { EncodeBatch } from './page-batch.ts';

/** Encodes a batch whose arguments have been checked; returns the bytes used. */
export function encodeBatch(encoder: DeltaEncoder, batch: EncodeBatch): number {
  const { old, current, pageSizeBytes, pages, into, lengthsBytes, deltaBytesMax = pageSizeBytes - 1 } = batch;
  let used = 0;
  for (let entry = 0; entry < lengthsBytes.length; entry++) {
    const at = (pages?.[entry] ?? entry) * pageSizeBytes;
    const end = Math.min(into.length, used + deltaBytesMax);
    const [oldPage, currentPage] = [old.subarray(at, at + pageSizeBytes), current.subarray(at, at + pageSizeBytes)];
    const lengthBytes = encoder.encode(oldPage, currentPage, into, used, end);
    lengthsBytes[entry] = lengthBytes;
    if (lengthBytes !== OVERFLOW) used += lengthBytes;
  }
  return used;
}
