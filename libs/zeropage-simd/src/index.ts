/**
 * Finds the pages of a memory that hold only zero bytes, with AVX-512, AVX2 or SSE2 as the processor has them, and in
 * plain TypeScript where the native build is missing. `backend` tells which of the two is in use.
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
export * from './isa.ts';
export * from './zero-page-scanner.ts';
