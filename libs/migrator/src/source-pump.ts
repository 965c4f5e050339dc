import type { Connection } from '@godwit/ports';
import { NATIVE_DIGEST, nativeSourceMissing, nativeSourcePump } from './native-source-pump.ts';
import { PORTABLE_DIGEST, portablePageHash } from './page-hash.ts';
import { PortableSourcePump } from './portable-source-pump.ts';
import type { SourcePump } from './pump.ts';
import type { SourceComposition, SourcePumpParts } from './source-pump-parts.ts';

/** The native pump where every part offers a capsule, else the portable one. */
export async function createSourcePump(parts: SourcePumpParts): Promise<SourcePump> {
  if (nativeSourceMissing(parts, parts.link.connection) === undefined) return nativeSourcePump(parts);
  return new PortableSourcePump(parts, await portablePageHash(parts.guest.memory.pageSizeBytes));
}

/** The hash of the arrival digest that the pump of these parts will use. */
export function sourceDigest(parts: SourceComposition, connection: Connection): string {
  return nativeSourceMissing(parts, connection) === undefined ? NATIVE_DIGEST : PORTABLE_DIGEST;
}
