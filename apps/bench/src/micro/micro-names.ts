/** The micro-benchmarks; `limits` has no figures but the machine's own, which every run measures. */
export const MICRO_NAMES = ['zeropage', 'xbzrle', 'dirty', 'page-set', 'limits'] as const;

/** The name of a micro-benchmark. */
export type MicroName = (typeof MICRO_NAMES)[number];

/** Instruction sets that can be named, of any processor. */
export const ISAS: readonly string[] = ['avx512', 'avx2', 'sse2', 'neon', 'scalar'];
