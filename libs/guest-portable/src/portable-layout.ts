import { PORTABLE_PAGE_BYTES, type PortableConfig } from './portable-config.ts';

/** Where what lies in a guest's memory, in pages. Page 0 is the control block; behind the resident pages nothing is ever written. */
export interface PortableLayout {
  /** One 32-bit count for each page of the working set. */
  readonly shadowFirstPage: number;
  readonly shadowPages: number;
  readonly workingSetFirstPage: number;
  readonly workingSetPages: number;
  readonly residentFirstPage: number;
  /** Pages with generated content. */
  readonly residentPages: number;
  /** Pages that the guest uses at all. */
  readonly usedPages: number;
}

/** @throws RangeError where working set and tables do not fit into memory */
export function portableLayout(config: PortableConfig): PortableLayout {
  const memoryPages = config.memoryBytes / PORTABLE_PAGE_BYTES;
  const workingSetPages =
    config.workload.name === 'appmembench' ? config.workload.workingSetBytes / PORTABLE_PAGE_BYTES : 0;
  const shadowPages = Math.ceil((workingSetPages * 4) / PORTABLE_PAGE_BYTES);
  const residentFirstPage = 1 + shadowPages + workingSetPages;
  if (residentFirstPage > memoryPages) {
    throw new RangeError(
      `a working set of ${workingSetPages} pages and its table do not fit into ${memoryPages} pages of memory`,
    );
  }
  const wantedPages = Math.ceil(config.residentBytes / PORTABLE_PAGE_BYTES);
  const residentPages = Math.max(0, wantedPages - residentFirstPage);
  return {
    shadowFirstPage: 1,
    shadowPages,
    workingSetFirstPage: 1 + shadowPages,
    workingSetPages,
    residentFirstPage,
    residentPages,
    usedPages: residentFirstPage + residentPages,
  };
}
