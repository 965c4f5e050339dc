import type { PageBitmap, ZeroPageScanner } from '@godwit/ports';
import { checkScanArguments } from './scan-arguments.ts';
import { type IsZeroBlock, zeroBlockCheck } from './zero-block.ts';

const PROBE_BYTES = 64;
const PAGES_PER_WORD = 32;

/**
 * The scanner for machines without the native build. As the native one it looks at the beginning, the middle and the end
 * of a page first, because a page that is not zero nearly always shows it there.
 *
 * @param checkOf how blocks of a memory are checked
 */
export function createTypescriptScanner(
  checkOf: (memory: Uint8Array) => IsZeroBlock = zeroBlockCheck,
): ZeroPageScanner {
  return {
    name: 'zeropage-typescript',
    backend: 'typescript',
    scan(memory, pageSizeBytes, into, candidates) {
      checkScanArguments(memory, pageSizeBytes, into, candidates);
      const isZeroPage = zeroPageCheck(memory, pageSizeBytes, checkOf(memory));
      let zeroPages = 0;
      for (let index = 0; index < into.words.length; index++) {
        let wanted = wantedPages(into.pageCount, index, candidates);
        let zeros = 0;
        while (wanted !== 0) {
          const bit = 31 - Math.clz32(wanted & -wanted);
          wanted &= wanted - 1;
          if (!isZeroPage(index * PAGES_PER_WORD + bit)) continue;
          zeros |= 1 << bit;
          zeroPages++;
        }
        into.words[index] = zeros;
      }
      return zeroPages;
    },
  };
}

function wantedPages(pageCount: number, index: number, candidates: PageBitmap | undefined): number {
  const pagesLeft = pageCount - index * PAGES_PER_WORD;
  const inside = pagesLeft >= PAGES_PER_WORD ? -1 : pagesLeft > 0 ? (1 << pagesLeft) - 1 : 0;
  return candidates === undefined ? inside : inside & (candidates.words[index] ?? 0);
}

function zeroPageCheck(memory: Uint8Array, pageSizeBytes: number, isZero: IsZeroBlock): (page: number) => boolean {
  const [middle, last] = [pageSizeBytes / 2, pageSizeBytes - 1];
  return (page) => {
    const start = page * pageSizeBytes;
    if (memory[start] !== 0 || memory[start + middle] !== 0 || memory[start + last] !== 0) return false;
    const end = start + pageSizeBytes;
    return isZero(start, start + PROBE_BYTES) && isZero(end - PROBE_BYTES, end) && isZero(start, end);
  };
}
