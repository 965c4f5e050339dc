import { loadNative } from './native.ts';

/** An instruction set that has a kernel of its own in the native build. */
export type Isa = 'avx512' | 'avx2' | 'sse2' | 'neon' | 'scalar';

/** Those that this processor has and this build knows, fastest first; empty where the native build is missing. */
export function availableIsas(): readonly Isa[] {
  const { addon } = loadNative();
  return addon === undefined ? [] : (addon.isas() as Isa[]);
}
