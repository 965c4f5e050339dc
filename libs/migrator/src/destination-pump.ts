import { GodwitError } from '@godwit/ports';
import { type DestinationPumpParts, nativeDestinationMissing, nativeDestinationPump } from './native-destination-pump.ts';
import { NATIVE_DIGEST } from './native-source-pump.ts';
import type { DestinationPump } from './pump.ts';

/** The native pump where every part offers a capsule. */
export async function createDestinationPump(parts: DestinationPumpParts): Promise<DestinationPump> {
  const missing = nativeDestinationMissing(parts);
  if (missing === undefined) return nativeDestinationPump(parts);
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this composition needs ${missing}`);
}

/** The hash of the arrival digest that the pump of these parts will use. */
export function digestOffered(parts: Pick<DestinationPumpParts, 'guest' | 'decoder' | 'link'>): string {
  return nativeDestinationMissing(parts) === undefined ? NATIVE_DIGEST : 'none';
}
