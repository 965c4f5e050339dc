import { PageSet } from '@godwit/page-set';
import type { GuestMemory } from '@godwit/ports';
import { PORTABLE_PAGE_BYTES, type PortableCounters, type PortableGuest } from '../src/index.ts';

/** The bytes of a page of a guest; a view. */
export function pageOf(guest: PortableGuest, page: number): Uint8Array {
  return bytesOf(guest.memory).subarray(page * PORTABLE_PAGE_BYTES, (page + 1) * PORTABLE_PAGE_BYTES);
}

/** The bytes of a memory that has some. */
export function bytesOf({ bytes }: GuestMemory): Uint8Array {
  if (bytes === undefined) throw new Error('a portable memory has bytes');
  return bytes;
}

/** Takes the pages that the guest's program has marked since the last call. */
export function takeMarks({ memory }: PortableGuest): PageSet {
  if (memory.softwareMarks === undefined) throw new Error('a portable memory has marks');
  const marks = { pageCount: memory.pageCount, words: memory.softwareMarks };
  const taken = PageSet.empty(memory.pageCount);
  taken.fetchAndClear(marks);
  return taken;
}

/** Copies pages as they are now. */
export function copyPages(from: PortableGuest, to: PortableGuest, pages: PageSet): void {
  for (const page of pages.pages()) pageOf(to, page).set(pageOf(from, page));
}

/** Lets the event loop turn until the counters are as wanted. Ends when the test does, if they never are. */
export async function until(guest: PortableGuest, wanted: (counters: PortableCounters) => boolean): Promise<void> {
  while (!wanted(guest.counters())) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Pre-copy by hand: everything, a few rounds of what is marked, the rest while the guest stands, then its state. */
export async function moveLive(source: PortableGuest, target: PortableGuest): Promise<void> {
  takeMarks(source);
  const present = PageSet.empty(source.memory.pageCount);
  await source.memory.present(present);
  copyPages(source, target, present);
  for (let round = 0; round < 5; round++) copyPages(source, target, takeMarks(source));
  await source.pause();
  copyPages(source, target, takeMarks(source));
  await target.loadState(await source.saveState());
}
