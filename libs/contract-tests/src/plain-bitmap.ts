import type { PageBitmap } from '@godwit/ports';

/** An empty bitmap over `pageCount` pages. */
export function emptyBitmap(pageCount: number): PageBitmap {
  return { pageCount, words: new Uint32Array(2 * Math.ceil(pageCount / 64)) };
}

/** A bitmap with these pages. */
export function bitmapOf(pageCount: number, pages: Iterable<number>): PageBitmap {
  const bitmap = emptyBitmap(pageCount);
  for (const page of pages) setPage(bitmap, page);
  return bitmap;
}

/** Adds a page. */
export function setPage({ words }: PageBitmap, page: number): void {
  words[page >>> 5] = (words[page >>> 5] ?? 0) | (1 << (page & 31));
}

/** Whether a page is in it. */
export function hasPage({ words }: PageBitmap, page: number): boolean {
  return (((words[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1;
}

/** The pages, ascending; also bits at and beyond `pageCount`, which ought to be zero. */
export function pagesOf({ words }: PageBitmap): number[] {
  const pages: number[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? 0;
    if (word === 0) continue;
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) pages.push(index * 32 + bit);
  }
  return pages;
}
