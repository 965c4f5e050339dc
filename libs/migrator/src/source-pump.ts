import { GodwitError, type PageEncoder } from '@godwit/ports';
import type { FrameLink } from './frame-link.ts';
import type { MigrationOptions } from './migration-options.ts';
import { NATIVE_DIGEST, nativeSourceMissing, nativeSourcePump, type SourcePumpParts } from './native-source-pump.ts';
import type { SourcePump } from './pump.ts';

/** The native pump where every part offers a capsule. */
export async function createSourcePump(parts: SourcePumpParts): Promise<SourcePump> {
  const missing = nativeSourceMissing(parts, parts.link.connection.capsule);
  if (missing === undefined) return nativeSourcePump(parts);
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `this composition needs ${missing}`);
}

/** The hash of the arrival digest that the pump of these parts will use. */
export function sourceDigest(options: MigrationOptions, encoder: PageEncoder | undefined, link: FrameLink): string {
  if (options.verify === false) return 'none';
  const { guest, tracker, scanner } = options;
  return nativeSourceMissing({ guest, tracker, scanner, encoder }, link.connection.capsule) === undefined ? NATIVE_DIGEST : 'none';
}
