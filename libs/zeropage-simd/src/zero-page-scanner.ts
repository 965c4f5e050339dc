import { type Backend, GodwitError, type ZeroPageScanner } from '@godwit/ports';
import { scannerOver } from './engine-scanner.ts';
import type { Isa } from './isa.ts';
import { loadNative } from './native.ts';
import { nativeEngine } from './native-engine.ts';
import { typescriptEngine } from './typescript-engine.ts';

export interface ZeroPageScannerOptions {
  /** Default: native where it is there, else TypeScript. Naming one means that one or an error. */
  readonly backend?: Backend;
  /** An instruction set instead of the fastest one; means the native backend. */
  readonly isa?: Isa;
}

/**
 * Makes a scanner for zero pages. It takes any page size that is a power of two from 512 bytes to 1 GiB and a memory at any
 * address; see `ZeroPageScanner`.
 *
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native build, or the processor's part of it, is missing
 * @throws TypeError for an instruction set without the native backend
 */
export function createZeroPageScanner(options: ZeroPageScannerOptions = {}): ZeroPageScanner {
  const { backend, isa } = options;
  if (backend !== undefined && backend !== 'native' && backend !== 'typescript') {
    throw new TypeError(`there is no backend ${String(backend)}`);
  }
  if (backend === 'typescript') {
    if (isa !== undefined) throw new TypeError('an instruction set can be chosen on the native backend only');
    return scannerOver(typescriptEngine());
  }
  const { addon, error } = loadNative();
  if (addon !== undefined) return scannerOver(nativeEngine(addon, isa));
  if (backend === undefined && isa === undefined) return scannerOver(typescriptEngine());
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native build of @godwit/zeropage-simd is missing here', {
    cause: error,
  });
}
