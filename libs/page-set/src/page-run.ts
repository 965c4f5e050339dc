/** Neighbouring pages: `pageCount` pages (at least one) from `firstPage` on. */
export interface PageRun {
  readonly firstPage: number;
  readonly pageCount: number;
}
