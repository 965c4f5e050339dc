/**
 * Holds as much touched memory as it is told, until it is let go: `warm-main <bytes>`. What it gives back is the memory
 * that the kernel hands out next.
 */
const CHUNK_BYTES = 64 * 1024 * 1024;

const held: Buffer[] = [];
for (let left = Number(process.argv[2] ?? 0); left > 0; left -= CHUNK_BYTES) {
  // Filled with something other than zero, so that every page is really touched.
  held.push(Buffer.allocUnsafeSlow(Math.min(left, CHUNK_BYTES)).fill(1));
}
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.send?.({ heldBytes: held.reduce((sum, { length }) => sum + length, 0) });
