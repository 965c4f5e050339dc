import type { PageBitmap, PageRuns } from './page-bitmap.ts';

/** Decides in which order pages are sent: pages that will not be written again soon go first. */
export interface PageOrder {
  readonly name: string;
  /** Learns which pages were written since the last call; O(dirty pages). */
  observe(dirty: PageBitmap): void;
  /** All pages of `pending`, each once, coldest first. */
  arrange(pending: PageBitmap): PageRuns;
}
