import { GodwitError } from '@godwit/ports';
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

/**
 * The hash of the arrival digest that the pump of these parts will use.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` if no pump can: the guest needs the native one, and a part has no capsule
 */
export function digestOffered(parts: Pick<DestinationPumpParts, 'guest' | 'decoder' | 'link'>): string {
  const missing = nativeDestinationMissing(parts);
  if (missing === undefined) return NATIVE_DIGEST;
  if (parts.guest.memory.bytes === undefined) {
    throw new GodwitError(
      'ERR_GODWIT_UNSUPPORTED',
      `a ${parts.guest.kind} guest cannot arrive here without ${missing}`,
    );
  }
  return PORTABLE_DIGEST;
}
