import type { Connection } from '@godwit/ports';
import { expect } from 'vitest';
import { SeededBytes } from './seeded-bytes.ts';

/** Random bytes, the same in every run. */
export function bytes(length: number, seed: number): Uint8Array {
  return new SeededBytes(seed).fill(new Uint8Array(length));
}

/** Receives so many bytes. */
export async function received(connection: Connection, length: number): Promise<Uint8Array> {
  const into = new Uint8Array(length);
  await connection.receive(into);
  return into;
}

/** Demands that bytes arrived as they were sent. */
export function expectEqual(got: Uint8Array, want: Uint8Array): void {
  // Buffers, as a matcher would walk over millions of elements.
  expect(Buffer.compare(got, want) === 0, 'the bytes that arrive are the bytes that were sent, in order').toBe(true);
}

/** Cuts into chunks of random lengths, some of them empty. */
function* cut(whole: Uint8Array, lengthMax: number, seed: number): Generator<Uint8Array> {
  const random = new SeededBytes(seed);
  for (let start = 0; start < whole.byteLength; ) {
    const chunk = whole.subarray(start, start + random.below(lengthMax));
    yield chunk;
    start += chunk.byteLength;
  }
}

/** Many transfers of many sizes in one direction. */
export async function stream(from: Connection, to: Connection, seed: number): Promise<void> {
  const whole = bytes(3_000_000, seed);
  const sending = (async () => {
    for (const part of cut(whole, 700_000, seed + 1)) await from.send([...cut(part, 90_000, seed + 2)]);
  })();
  const receiving = (async () => {
    for (const part of cut(whole, 500_000, seed + 3)) expectEqual(await received(to, part.byteLength), part);
  })();
  await Promise.all([sending, receiving]);
}
