/** Cuts chunks into groups of at most `limitBytes` together, in order. Empty chunks are left out. */
export function* pieces(chunks: readonly Uint8Array[], limitBytes: number): Generator<Uint8Array[]> {
  let group: Uint8Array[] = [];
  let groupBytes = 0;
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.byteLength; ) {
      const part = chunk.subarray(start, start + limitBytes - groupBytes);
      group.push(part);
      groupBytes += part.byteLength;
      start += part.byteLength;
      if (groupBytes === limitBytes) {
        yield group;
        group = [];
        groupBytes = 0;
      }
    }
  }
  if (groupBytes > 0) yield group;
}
