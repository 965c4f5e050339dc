import { transportSuite } from '@godwit/contract-tests';
import { isGodwitError } from '@godwit/ports';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../src/byte-queue.ts';
import { memoryTransport } from '../src/index.ts';

transportSuite('memory', () => ({ transport: memoryTransport(), listenAddress: 'memory://*' }));
transportSuite('memory, with a small queue of an odd length', () => ({
  transport: memoryTransport({ queueBytes: 70_003 }),
  listenAddress: 'memory://*',
}));
transportSuite('memory, by name', () => ({
  transport: memoryTransport(),
  listenAddress: 'memory://destination',
  resolvesAddress: false,
}));

describe('a cut', () => {
  it('delivers the bytes before it and loses those behind it', async () => {
    const cutting = memoryTransport({ cutAfterBytes: 10 });
    const listener = await memoryTransport().listen('memory://*');
    const [near, far] = await Promise.all([cutting.connect(listener.address), listener.accept()]);
    await near.send([new Uint8Array(4).fill(1)]);
    const lost = await near.send([new Uint8Array(100).fill(2)]).catch((error: unknown) => error);
    expect(isGodwitError(lost, 'ERR_GODWIT_CONNECTION_CLOSED')).toBe(true);
    expect(near.counters().bytesSent).toBe(10);
    const got = new Uint8Array(10);
    await far.receive(got);
    expect([...got]).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    const calls = [() => far.receive(got), () => far.send([got]), () => near.receive(got), () => near.send([got])];
    for (const call of calls) {
      const error = await call().catch((reason: unknown) => reason);
      expect(isGodwitError(error, 'ERR_GODWIT_CONNECTION_CLOSED')).toBe(true);
    }
    await listener.close();
  });

  it('may come from the side that accepts', async () => {
    const listener = await memoryTransport({ cutAfterBytes: 0 }).listen('memory://*');
    const [near, far] = await Promise.all([memoryTransport().connect(listener.address), listener.accept()]);
    await near.send([Uint8Array.of(1)]);
    await expect(far.send([Uint8Array.of(1)])).rejects.toMatchObject({ code: 'ERR_GODWIT_CONNECTION_CLOSED' });
    await expect(near.receive(new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_GODWIT_CONNECTION_CLOSED' });
    await listener.close();
  });
});

describe('options', () => {
  it.each([{ queueBytes: 0 }, { queueBytes: 1.5 }, { timeoutMs: -1 }, { cutAfterBytes: Number.NaN }])(
    'refuses %o',
    (options) => {
      expect(() => memoryTransport(options)).toThrow(RangeError);
    },
  );
});

describe('a byte queue', () => {
  it('gives what it took, in order, and never holds more than its capacity', () => {
    const steps = fc.array(fc.record({ write: fc.boolean(), length: fc.nat(20) }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 17 }), steps, (capacity, sequence) => {
        const queue = new ByteQueue(capacity);
        let [written, read] = [0, 0];
        for (const { write, length } of sequence) {
          if (write) {
            const bytes = Uint8Array.from({ length }, (_, at) => written + at);
            const taken = queue.write(bytes);
            expect(taken).toBe(Math.min(length, capacity - (written - read)));
            written += taken;
          } else {
            const into = new Uint8Array(length);
            const given = queue.read(into);
            expect(given).toBe(Math.min(length, written - read));
            expect([...into.subarray(0, given)]).toEqual(Array.from({ length: given }, (_, at) => (read + at) & 255));
            read += given;
          }
        }
      }),
    );
  });
});
