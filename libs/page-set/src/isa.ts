import { loadNative } from './native.ts';

/** An instruction set that the native build has operations for; `scalar` is what every processor has. */
export type Isa = 'avx512' | 'avx2' | 'scalar';

/** Those that this processor has and this build knows, fastest first; empty where the native build is missing. */
export function availableIsas(): readonly Isa[] {
  const { addon } = loadNative();
  return addon === undefined ? [] : (addon.isas() as Isa[]);
}
