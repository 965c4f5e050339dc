/**
 * What XBZRLE looks like in bytes.
 *
 * A delta is a row of pairs: a run of bytes equal in both pages (its length), then a run of bytes that differ (its
 * length, then the new bytes). Runs are as long as they can be, so single equal bytes separate runs. Only the first run of
 * equal bytes may be empty. Equal bytes at the end of the page are not mentioned. Lengths are unsigned LEB128 in their
 * shortest form. QEMU's take at most two bytes, which is enough for pages up to 8 KiB; the third byte, for larger pages, is
 * Godwit's extension.
 *
 * Design: P. Svärd, B. Hudzia, J. Tordsson, E. Elmroth, "Evaluation of delta compression techniques for efficient live
 * migration of large virtual machines", VEE 2011; the encoding is the one QEMU documents and speaks.
 */
export const PAGE_SIZE_BYTES_MIN = 512;
/** Page sizes are powers of two. */
export const PAGE_SIZE_BYTES_MAX: number = 2 ** 20;
/**
 * The largest page whose deltas QEMU can read and write: none of its lengths needs a third byte. Two bytes end at 16,383,
 * and a page of 16 KiB that differs wholly is one run of 16,384 bytes. Deltas of larger pages are Godwit's extension of the
 * format: the same, with a third byte where a length needs it.
 */
export const QEMU_PAGE_SIZE_BYTES_MAX = 8192;

const LENGTH_BITS = 7;
const MORE = 0x80;

/**
 * The most bytes that a length takes in a delta of such a page. As QEMU does, the encoder wants that much room for every
 * length, so that both overflow at the same deltas.
 */
export function lengthBytesMax(pageSizeBytes: number): 2 | 3 {
  return pageSizeBytes <= QEMU_PAGE_SIZE_BYTES_MAX ? 2 : 3;
}

/** Writes a length at `at`, where there is room for it; returns where it ends. */
export function putLength(into: Uint8Array, at: number, length: number): number {
  let end = at;
  let rest = length;
  while (rest >= MORE) {
    into[end++] = (rest & (MORE - 1)) | MORE;
    rest >>>= LENGTH_BITS;
  }
  into[end++] = rest;
  return end;
}

/**
 * How many bytes the length at `at` takes; 0 for one that is cut off, longer than `bytesMax` or not in its shortest
 * form.
 */
export function lengthBytesAt(delta: Uint8Array, at: number, bytesMax: number): number {
  if ((delta[at] ?? MORE) < MORE) return 1;
  const end = Math.min(at + bytesMax, delta.length);
  for (let index = at + 1; index < end; index++) {
    const byte = delta[index] ?? 0;
    if (byte < MORE) return byte !== 0 ? index - at + 1 : 0;
  }
  return 0;
}

/** The length of `lengthBytes` bytes at `at`. */
export function lengthAt(delta: Uint8Array, at: number, lengthBytes: number): number {
  if (lengthBytes === 1) return (delta[at] ?? 0) & (MORE - 1);
  let length = 0;
  for (let index = 0; index < lengthBytes; index++) {
    length |= ((delta[at + index] ?? 0) & (MORE - 1)) << (LENGTH_BITS * index);
  }
  return length;
}
