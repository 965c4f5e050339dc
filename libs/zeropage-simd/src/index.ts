/**
 * Finds the pages of a memory that hold only zero bytes, with AVX-512, AVX2, SSE2 or NEON as the processor has them,
 * and in plain TypeScript where the native build is missing. Of much memory, what was never touched is not even
 * read.
 *
 * @example
 * import { PageSet } from '@godwit/page-set';
 * import { createZeroPageScanner } from '@godwit/zeropage-simd';
 *
 * const memory = new Uint8Array(64 * 4096).fill(1, 5 * 4096, 6 * 4096);
 * const zero = PageSet.empty(64);
 * const zeroPages = createZeroPageScanner().scan(memory, 4096, zero); // 63
 *
 * @packageDocumentation
 */
export type {
  AsyncScanOptions,
  ScannableMemory,
  ScanOptions,
  ScanStatistics,
  UntouchedWay,
  ZeroPageScanner,
} from '@godwit/ports';
export * from './isa.ts';
export * from './zero-page-scanner.ts';
