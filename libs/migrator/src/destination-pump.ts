import type { DestinationPumpParts } from './destination-pump-parts.ts';
import { nativeDestinationMissing, nativeDestinationPump } from './native-destination-pump.ts';
import { NATIVE_DIGEST } from './native-source-pump.ts';
import { PORTABLE_DIGEST, portablePageHash } from './page-hash.ts';
import { PortableDestinationPump } from './portable-destination-pump.ts';
import type { DestinationPump } from './pump.ts';

/** The native pump where every part offers a capsule, else the portable one. */
export async function createDestinationPump(parts: DestinationPumpParts): Promise<DestinationPump> {
  if (nativeDestinationMissing(parts) === undefined) return nativeDestinationPump(parts);
  return new PortableDestinationPump(parts, await portablePageHash(parts.guest.memory.pageSizeBytes));
}

/** The hash of the arrival digest that the pump of these parts will use. */
export function digestOffered(parts: Pick<DestinationPumpParts, 'guest' | 'decoder' | 'link'>): string {
  return nativeDestinationMissing(parts) === undefined ? NATIVE_DIGEST : PORTABLE_DIGEST;
}
