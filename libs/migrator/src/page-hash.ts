import xxhash from 'xxhash-wasm';

/** Hashes a page; 0n stands for a page that reads as zero, and is the hash of no other. */
export type PageHash = (page: Uint8Array) => bigint;

/** The hash of pages in the portable pump: XXH64 (Yann Collet), seed 0. */
export const PORTABLE_DIGEST = 'xxh64';

/** Loads the hash, for pages of this size. */
export async function portablePageHash(pageSizeBytes: number): Promise<PageHash> {
  const { h64Raw } = await xxhash();
  const zeroPageHash = h64Raw(new Uint8Array(pageSizeBytes));
  return (page) => {
    const hash = h64Raw(page);
    if (hash === zeroPageHash) return 0n;
    return hash === 0n ? 1n : hash;
  };
}
