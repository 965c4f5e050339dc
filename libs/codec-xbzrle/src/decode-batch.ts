import { GodwitError } from '@godwit/ports';
import { decodeDelta } from './decode.ts';
import type { DecodeBatch } from './page-batch.ts';

/**
 * Applies a batch whose arguments have been checked; returns how many deltas it had.
 * @throws GodwitError `ERR_GODWIT_DELTA_MALFORMED`, naming the entry; its page is untouched, those before it are done
 */
export function decodeBatch({ deltas, lengthsBytes, pages, memory, pageSizeBytes }: DecodeBatch): number {
  let used = 0;
  let applied = 0;
  for (let entry = 0; entry < lengthsBytes.length; entry++) {
    const lengthBytes = lengthsBytes[entry] ?? 0;
    if (lengthBytes <= 0) continue;
    const at = (pages?.[entry] ?? entry) * pageSizeBytes;
    try {
      decodeDelta(deltas.subarray(used, used + lengthBytes), memory.subarray(at, at + pageSizeBytes));
    } catch (cause) {
      throw new GodwitError('ERR_GODWIT_DELTA_MALFORMED', `the delta of entry ${entry} is malformed`, { cause });
    }
    used += lengthBytes;
    applied++;
  }
  return applied;
}
