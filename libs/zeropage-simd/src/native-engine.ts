import { fromNativeError } from '@godwit/ports';
import type { Isa } from './isa.ts';
import type { NativeAddon, NativeScanner, ScanSettings } from './native.ts';
import type { ScanEngine, ScanRequest } from './scan-engine.ts';

/**
 * The engine on the addon, also for other native packages by its capsule.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the processor lacks `isa`
 */
export function nativeEngine(addon: NativeAddon, isa: Isa | undefined): ScanEngine {
  const scanner = scannerWith(addon, isa);
  return {
    name: `zeropage-${scanner.isa}`,
    backend: 'native',
    capsule: scanner.createCapsule(),
    lengthBytes: (memory) => scanner.memoryLengthBytes(memory),
    count: (memory, pageSizeBytes, into, candidates, areRuns) =>
      scanner.count(memory, pageSizeBytes, into, candidates, areRuns),
    scan: (memory, pageSizeBytes, into, request, firstNonZeroBytes) =>
      scanner.scan(memory, pageSizeBytes, into, request.candidates, settingsOf(request), firstNonZeroBytes),
    async scanBeside(memory, pageSizeBytes, request, wantsOffsets, whenCancelled) {
      const cancellation = new addon.ScanCancellation();
      const { candidates } = request;
      const settings = settingsOf(request);
      const scan = scanner.scanBeside(memory, pageSizeBytes, candidates, settings, wantsOffsets, cancellation);
      whenCancelled(() => cancellation.cancel());
      const { outcome, words, firstNonZeroBytes } = await scan;
      return { statistics: outcome, words, firstNonZeroBytes };
    },
  };
}

function scannerWith(addon: NativeAddon, isa: Isa | undefined): NativeScanner {
  try {
    return new addon.NativeScanner(isa);
  } catch (error) {
    throw fromNativeError(error);
  }
}

function settingsOf({ areRuns, threadCount, untouched, isPartOfMuch }: ScanRequest): ScanSettings {
  return { areRuns, threadCount, untouched, isPartOfMuch };
}
