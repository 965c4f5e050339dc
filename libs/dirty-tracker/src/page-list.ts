import { PageSet, setBitCount } from '@godwit/page-set';
import type { PageBitmap, PageRuns } from '@godwit/ports';

/** What one pass of a counting sort tells apart. */
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;

/**
 * The pages of a bitmap, ascending. One look at each word, else O(pages).
 * @throws RangeError where the words are no bitmap over their pages
 */
export function listPages(bitmap: PageBitmap): Uint32Array {
  const set = PageSet.of(bitmap);
  const { words } = set;
  const pages = new Uint32Array(set.count());
  let length = 0;
  // Words come in pairs; most pairs are empty.
  for (let index = 0; index < words.length; index += 2) {
    let word = words[index] ?? 0;
    let next = words[index + 1] ?? 0;
    if ((word | next) === 0) continue;
    for (const base = index * 32; word !== 0; word &= word - 1) pages[length++] = base + 31 - Math.clz32(word & -word);
    for (const base = index * 32 + 32; next !== 0; next &= next - 1)
      pages[length++] = base + 31 - Math.clz32(next & -next);
  }
  // Fewer than were counted, where somebody takes pages out of a shared bitmap meanwhile.
  return pages.subarray(0, length);
}

/** How many pages the word at `index` of a bitmap names. */
export function pagesInWord(words: Uint32Array, index: number): number {
  return setBitCount(words[index] ?? 0);
}

/** Pages in the order in which they stand, as runs: a page behind its lower neighbour joins its run. */
export function runsOfPages(pages: Uint32Array): PageRuns {
  const runs = new Uint32Array(2 * pages.length);
  let length = 0;
  let nextPage = -1;
  for (let index = 0; index < pages.length; index++) {
    const page = pages[index] ?? 0;
    if (page === nextPage) {
      runs[length - 1] = (runs[length - 1] ?? 0) + 1;
    } else {
      runs[length++] = page;
      runs[length++] = 1;
    }
    nextPage = page + 1;
  }
  return runs.slice(0, length);
}

/** Pages and what they are sorted by: `keys[i]` is that of `pages[i]`. */
export interface KeyedPages {
  readonly pages: Uint32Array;
  readonly keys: Uint32Array;
}

/**
 * Pages by ascending key (below 2^32), those of one key as they stood: a counting sort of one pass, or of two where a key
 * has more than 16 bits. What it is given is left as it is. O(pages + keys told apart).
 */
export function sortPages(given: KeyedPages): KeyedPages {
  const { keys } = given;
  let keyMax = 0;
  for (let index = 0; index < keys.length; index++) keyMax = Math.max(keyMax, keys[index] ?? 0);
  if (keyMax === 0) return given;
  if (keyMax < DIGITS) return sortByDigit(given, 0, keyMax + 1);
  return sortByDigit(sortByDigit(given, 0, DIGITS), DIGIT_BITS, (keyMax >>> DIGIT_BITS) + 1);
}

function sortByDigit({ pages, keys }: KeyedPages, shift: number, digits: number): KeyedPages {
  const places = new Uint32Array(digits);
  for (let index = 0; index < keys.length; index++) {
    const digit = ((keys[index] ?? 0) >>> shift) & (DIGITS - 1);
    places[digit] = (places[digit] ?? 0) + 1;
  }
  let place = 0;
  for (let digit = 0; digit < digits; digit++) {
    const count = places[digit] ?? 0;
    places[digit] = place;
    place += count;
  }
  const sorted = { pages: new Uint32Array(pages.length), keys: new Uint32Array(pages.length) };
  for (let index = 0; index < pages.length; index++) {
    const key = keys[index] ?? 0;
    const digit = (key >>> shift) & (DIGITS - 1);
    const to = places[digit] ?? 0;
    places[digit] = to + 1;
    sorted.pages[to] = pages[index] ?? 0;
    sorted.keys[to] = key;
  }
  return sorted;
}
