import { fromNativeError, type ZeroPageScanner } from '@godwit/ports';
import type { Isa } from './isa.ts';
import type { NativeAddon } from './native.ts';
import { checkScanArguments } from './scan-arguments.ts';

/**
 * The scanner on the addon, also for other native packages by its capsule.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the processor lacks `isa`
 */
export function createNativeScanner(addon: NativeAddon, isa: Isa | undefined): ZeroPageScanner {
  return {
    name: `zeropage-${isa ?? addon.isas()[0]}`,
    backend: 'native',
    capsule: capsuleOf(addon, isa),
    scan(memory, pageSizeBytes, into, candidates) {
      checkScanArguments(memory, pageSizeBytes, into, candidates);
      return addon.scan(memory, pageSizeBytes, into.words, candidates?.words, isa);
    },
  };
}

function capsuleOf(addon: NativeAddon, isa: Isa | undefined): ReturnType<NativeAddon['createScannerCapsule']> {
  try {
    return addon.createScannerCapsule(isa);
  } catch (error) {
    throw fromNativeError(error);
  }
}
