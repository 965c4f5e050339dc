import { PageSet } from '@godwit/page-set';
import type { PageRuns, ZeroPageScanner } from '@godwit/ports';
import { createZeroPageScanner, availableIsas as isasOfScanner } from '@godwit/zeropage-simd';
import type { RowBackend } from './figure-row.ts';
import type { Measured } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { compareScan, wordScan } from './plain-scan.ts';

export const PAGE_BYTES = 4096;

/** A way to find zero pages, whoever offers it. */
export interface ScanVariant {
  readonly name: string;
  readonly backend: RowBackend;
  /** Finds the zero pages of `memory`, `passes` times over. */
  scan(memory: Uint8Array, into: PageSet, passes: number): void;
}

/** The instruction sets to measure, fastest first; those of `@godwit/zeropage-simd` that were asked for. */
export function scannerIsas({ wants }: MicroContext): readonly string[] {
  // Throws where the native build is missing: what is not there is not measured in silence.
  createZeroPageScanner({ backend: 'native' });
  return isasOfScanner().filter(wants);
}

/** A scanner of ours for each instruction set, by its name. */
export function nativeScans(isas: readonly string[]): readonly ScanVariant[] {
  return isasOfScanner()
    .filter((isa) => isas.includes(isa))
    .map((isa) => ({ name: isa, backend: 'native', scan: scanWith(createZeroPageScanner({ isa })) }));
}

/** Ours in TypeScript, and what one would write without it. */
export function portableScans(): readonly ScanVariant[] {
  return [
    {
      name: 'typescript',
      backend: 'typescript',
      scan: scanWith(createZeroPageScanner({ backend: 'typescript' })),
    },
    { name: 'Buffer.compare a page', backend: 'node', scan: compareScan },
    { name: 'BigUint64Array loop', backend: 'javascript', scan: wordScan },
  ];
}

/** Measures a variant over a memory, of which `zeroPages` pages are known to be zero; this is checked before. */
export function measuredScan(variant: ScanVariant, memory: Uint8Array, zeroPages: number, passes = 1): Measured {
  const into = PageSet.empty(memory.length / PAGE_BYTES);
  variant.scan(memory, into, 1);
  check(into.count() === zeroPages, `${variant.name} found ${into.count()} zero pages of ${zeroPages}`);
  return {
    name: variant.name,
    run: () => variant.scan(memory, into, passes),
  };
}

function scanWith(scanner: ZeroPageScanner): ScanVariant['scan'] {
  return (memory, into, passes) => {
    scanner.scan(memory, PAGE_BYTES, into, passes === 1 ? undefined : repeatedRuns(into.pageCount, passes));
  };
}

const runsOf = new Map<string, PageRuns>();

/** All pages `passes` times, as candidates of one call: over little memory the call would take longer than the work. */
function repeatedRuns(pageCount: number, passes: number): PageRuns {
  const key = `${pageCount} ${passes}`;
  let runs = runsOf.get(key);
  if (runs === undefined) {
    runs = new Uint32Array(2 * passes);
    for (let pass = 0; pass < passes; pass += 1) runs[2 * pass + 1] = pageCount;
    runsOf.set(key, runs);
  }
  return runs;
}
