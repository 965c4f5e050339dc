import { type Backend, GodwitError } from '@godwit/ports';
import type { Isa } from './isa.ts';
import { loadNative } from './native.ts';
import { createNativeOperations } from './native-operations.ts';
import { typescriptOperations } from './typescript-operations.ts';
import type { WordOperations } from './word-operations.ts';

/**
 * From this many words on a set is handled natively: where the call into native code, 0.13 to 0.16 microseconds, breaks
 * even with 1.5 to 2 nanoseconds a word in TypeScript (65 to 100 words, on an AMD EPYC with Node.js 20).
 */
const NATIVE_WORD_COUNT_MIN = 128;

/** Which implementation walks over a set. */
export interface PageSetOptions {
  /**
   * Default: native from 4,096 pages on where it is there, else TypeScript. Naming one means that one at every size, or
   * an error.
   */
  readonly backend?: Backend;
  /** An instruction set instead of the fastest one; means the native backend. */
  readonly isa?: Isa;
}

const nativeOperations = new Map<Isa | undefined, WordOperations>();

/**
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where the native build, or the processor's part of it, is missing
 * @throws TypeError for a backend that there is none of, or an instruction set without the native backend
 */
export function chooseOperations(wordCount: number, options: PageSetOptions): WordOperations {
  const { backend, isa } = options;
  if (backend === undefined && isa === undefined && wordCount < NATIVE_WORD_COUNT_MIN) return typescriptOperations;
  if (backend !== undefined && backend !== 'native' && backend !== 'typescript') {
    throw new TypeError(`there is no backend ${String(backend)}`);
  }
  if (backend === 'typescript') {
    if (isa !== undefined) throw new TypeError('an instruction set can be chosen on the native backend only');
    return typescriptOperations;
  }
  const known = nativeOperations.get(isa);
  if (known !== undefined) return known;
  const { addon, error } = loadNative();
  if (addon !== undefined) {
    const operations = createNativeOperations(addon, isa);
    nativeOperations.set(isa, operations);
    return operations;
  }
  if (backend === undefined && isa === undefined) return typescriptOperations;
  throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native build of @godwit/page-set is missing here', {
    cause: error,
  });
}
