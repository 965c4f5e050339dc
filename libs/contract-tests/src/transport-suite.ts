import type { Connection, Listener, Transport } from '@godwit/ports';
import { expect } from 'vitest';
import { bytes, expectEqual, received, stream } from './byte-stream.ts';
import { expectCode, expectEndedWith, outcome, rejection } from './call-outcome.ts';
import { type Fixture, type FixtureMaker, registerCases } from './case-runner.ts';
import type { ContractCase } from './contract-case.ts';

/** A transport, and addresses for it. */
export interface TransportFixture extends Fixture {
  readonly transport: Transport;
  /** Where anybody may listen, such as `tcp://127.0.0.1:0`. */
  readonly listenAddress: string;
  /** Whether listening turns `listenAddress` into another one, with a free port. Default true. */
  readonly resolvesAddress?: boolean;
  /** After how long a call that ought to settle counts as hung. Default 20,000. */
  readonly patienceMs?: number;
}

type Case = ContractCase<TransportFixture>;

interface Ends {
  readonly near: Connection;
  readonly far: Connection;
  readonly listener: Listener;
  /** Holds a promise to the patience of the fixture. */
  readonly soon: <T>(work: Promise<T>) => Promise<T>;
}

/** More than any socket or queue holds on its own. */
const LARGE_BYTES = 48 << 20;
const never: number = Number.POSITIVE_INFINITY;

function patient({ patienceMs = 20_000 }: TransportFixture): <T>(work: Promise<T>) => Promise<T> {
  return (work) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hung = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`did not settle within ${patienceMs} ms`)), patienceMs);
    });
    return Promise.race([work, hung]).finally(() => clearTimeout(timer));
  };
}

/** Runs `work` on both ends of a new connection. */
async function connected(fixture: TransportFixture, work: (ends: Ends) => Promise<void>): Promise<void> {
  const soon = patient(fixture);
  const listener = await soon(fixture.transport.listen(fixture.listenAddress));
  const [near, far] = await soon(Promise.all([fixture.transport.connect(listener.address), listener.accept()]));
  try {
    await work({ near, far, listener, soon });
  } finally {
    await soon(Promise.all([near.close(), far.close(), listener.close()]));
  }
}

const cases: readonly Case[] = [
  {
    name: 'names itself, its backend and the two ends',
    run: (fixture) =>
      connected(fixture, async ({ near, far, listener }) => {
        expect(fixture.transport.name).toMatch(/^[a-z-]+$/);
        expect(['native', 'typescript']).toContain(fixture.transport.backend);
        expect(near.remoteAddress).toBe(listener.address);
        expect(far.remoteAddress).toMatch(/^[a-z]+:\/\/./);
      }),
  },
  {
    name: 'tells the real address of a listener',
    async run(fixture) {
      const listeners = [
        await fixture.transport.listen(fixture.listenAddress),
        ...(fixture.resolvesAddress === false ? [] : [await fixture.transport.listen(fixture.listenAddress)]),
      ];
      const addresses = listeners.map(({ address }) => address);
      await Promise.all(listeners.map((listener) => listener.close()));
      expect(new Set(addresses).size).toBe(listeners.length);
      if (fixture.resolvesAddress === false) expect(addresses).toEqual([fixture.listenAddress]);
      else expect(addresses).not.toContain(fixture.listenAddress);
    },
  },
  {
    name: 'keeps order and completeness in both directions at once',
    run: (fixture) =>
      connected(fixture, ({ near, far, soon }) =>
        soon(Promise.all([stream(near, far, 1), stream(far, near, 9)]).then(() => undefined)),
      ),
  },
  {
    name: 'answers a message with a message',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        for (let round = 0; round < 50; round++) {
          const question = bytes(1 + round, round);
          const [asked] = await soon(Promise.all([received(far, question.byteLength), near.send([question])]));
          const [answered] = await soon(Promise.all([received(near, asked.byteLength), far.send([asked])]));
          expectEqual(answered, question);
        }
      }),
  },
  {
    name: 'takes empty chunks, no chunks and nothing to receive',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        await soon(near.send([]));
        await soon(near.send([new Uint8Array(0), new Uint8Array(0)]));
        await soon(far.receive(new Uint8Array(0)));
        await soon(near.send([new Uint8Array(0), Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2)]));
        expect([...(await soon(received(far, 2)))]).toEqual([1, 2]);
      }),
  },
  {
    name: 'takes more chunks than one system call does',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const whole = bytes(5000, 4);
        const chunks = Array.from(whole, (_, at) => whole.subarray(at, at + 1));
        const [got] = await soon(Promise.all([received(far, whole.byteLength), near.send(chunks)]));
        expectEqual(got, whole);
      }),
  },
  {
    name: 'lets the memory of chunks be used again when a send resolves',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const chunk = bytes(50_000, 5);
        const copy = chunk.slice();
        await soon(near.send([chunk]));
        chunk.fill(0);
        expectEqual(await soon(received(far, copy.byteLength)), copy);
      }),
  },
  {
    name: 'receives exactly what is asked for',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        await soon(near.send([Uint8Array.of(1, 2, 3, 4, 5)]));
        const room = new Uint8Array(8);
        await soon(far.receive(room.subarray(2, 4)));
        expect([...room], 'bytes outside the room stay').toEqual([0, 0, 1, 2, 0, 0, 0, 0]);
        const waiting = outcome(soon(far.receive(room)));
        await soon(near.send([Uint8Array.of(6, 7)]));
        await soon(near.send([Uint8Array.of(8, 9, 10)]));
        expect(await waiting).toEqual({ rejected: false });
        expect([...room]).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
      }),
  },
  {
    name: 'holds a sender back until the receiver takes the bytes',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const large = new Uint8Array(LARGE_BYTES);
        await expectCode(soon(near.send([large], { timeoutMs: 20 })), 'ERR_GODWIT_PEER_TIMEOUT');
        const { bytesSent } = near.counters();
        expect(bytesSent).toBeLessThan(LARGE_BYTES);
        await soon(received(far, bytesSent));
      }),
  },
  {
    name: 'ends a receive when the peer says nothing for too long',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        await soon(far.send([Uint8Array.of(1)]));
        await expectCode(soon(near.receive(new Uint8Array(2), { timeoutMs: 20 })), 'ERR_GODWIT_PEER_TIMEOUT');
        await expectCode(soon(near.receive(new Uint8Array(2), { timeoutMs: 0 })), 'ERR_GODWIT_PEER_TIMEOUT');
      }),
  },
  {
    name: 'refuses a time that cannot be',
    run: (fixture) =>
      connected(fixture, async ({ near, soon }) => {
        for (const timeoutMs of [-1, Number.NaN]) {
          expect(await rejection(soon(near.receive(new Uint8Array(1), { timeoutMs })))).toBeInstanceOf(RangeError);
          expect(await rejection(soon(near.send([new Uint8Array(1)], { timeoutMs })))).toBeInstanceOf(RangeError);
        }
      }),
  },
  {
    name: 'refuses a second transfer in the same direction',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const into = new Uint8Array(1);
        const first = outcome(soon(near.receive(into, { timeoutMs: never })));
        expect(await rejection(soon(near.receive(new Uint8Array(1))))).toBeInstanceOf(TypeError);
        await soon(far.send([Uint8Array.of(7)]));
        expect(await first).toEqual({ rejected: false });
        expect(into[0]).toBe(7);
      }),
  },
  {
    name: 'ends a waiting receive and all later calls when interrupted',
    run: (fixture) =>
      connected(fixture, async ({ near, soon }) => {
        const waiting = outcome(soon(near.receive(new Uint8Array(1), { timeoutMs: never })));
        near.interrupt();
        expectEndedWith(await waiting, 'ERR_GODWIT_INTERRUPTED');
        await expectCode(soon(near.receive(new Uint8Array(1))), 'ERR_GODWIT_INTERRUPTED');
        await expectCode(soon(near.send([Uint8Array.of(1)])), 'ERR_GODWIT_INTERRUPTED');
        near.interrupt();
      }),
  },
  {
    name: 'ends a waiting send when interrupted',
    run: (fixture) =>
      connected(fixture, async ({ near, soon }) => {
        const waiting = outcome(soon(near.send([new Uint8Array(LARGE_BYTES)], { timeoutMs: never })));
        near.interrupt();
        expectEndedWith(await waiting, 'ERR_GODWIT_INTERRUPTED');
      }),
  },
  {
    name: 'leaves the peer of an interrupted end alone until it is closed',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        await soon(near.send([Uint8Array.of(5)]));
        near.interrupt();
        expect([...(await soon(received(far, 1)))]).toEqual([5]);
        await soon(near.close());
        await expectCode(soon(far.receive(new Uint8Array(1))), 'ERR_GODWIT_CONNECTION_CLOSED');
      }),
  },
  {
    name: 'delivers what was sent before a close, and then tells of it',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const last = bytes(60_000, 6);
        await soon(far.send([bytes(1000, 7)]));
        await soon(near.send([last]));
        await soon(near.close());
        expectEqual(await soon(received(far, last.byteLength)), last);
        await expectCode(soon(far.receive(new Uint8Array(1))), 'ERR_GODWIT_CONNECTION_CLOSED');
      }),
  },
  {
    name: 'ends a receive that the peer can no longer complete',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const waiting = outcome(soon(far.receive(new Uint8Array(3), { timeoutMs: never })));
        await soon(near.send([Uint8Array.of(1, 2)]));
        await soon(near.close());
        expectEndedWith(await waiting, 'ERR_GODWIT_CONNECTION_CLOSED');
      }),
  },
  {
    name: 'ends a send to a peer that has closed',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        const waiting = outcome(soon(near.send([new Uint8Array(LARGE_BYTES)], { timeoutMs: never })));
        await soon(far.close());
        expectEndedWith(await waiting, 'ERR_GODWIT_CONNECTION_CLOSED');
      }),
  },
  {
    name: 'ends its own transfers when it is closed, once and for all',
    run: (fixture) =>
      connected(fixture, async ({ near, soon }) => {
        const waiting = outcome(soon(near.receive(new Uint8Array(1), { timeoutMs: never })));
        const closed = outcome(soon(Promise.all([near.close(), near.close()])));
        expectEndedWith(await waiting, 'ERR_GODWIT_CONNECTION_CLOSED');
        expect(await closed).toEqual({ rejected: false });
        await soon(near.close());
        await soon(near[Symbol.asyncDispose]());
        await expectCode(soon(near.send([Uint8Array.of(1)])), 'ERR_GODWIT_CONNECTION_CLOSED');
        await expectCode(soon(near.receive(new Uint8Array(1))), 'ERR_GODWIT_CONNECTION_CLOSED');
      }),
  },
  {
    name: 'counts the bytes, and only those',
    run: (fixture) =>
      connected(fixture, async ({ near, far, soon }) => {
        expect(near.counters()).toEqual({ bytesSent: 0, bytesReceived: 0 });
        await soon(Promise.all([near.send([bytes(70_000, 1), bytes(3, 2)]), received(far, 70_003)]));
        await soon(Promise.all([far.send([bytes(11, 3)]), received(near, 11)]));
        expect(near.counters()).toEqual({ bytesSent: 70_003, bytesReceived: 11 });
        expect(far.counters()).toEqual({ bytesSent: 11, bytesReceived: 70_003 });
      }),
  },
  {
    name: 'connects in the order of accepts, and keeps connections apart',
    run: (fixture) =>
      connected(fixture, async ({ near, far, listener, soon }) => {
        const other = await soon(fixture.transport.connect(listener.address));
        const peer = await soon(listener.accept());
        await soon(other.send([Uint8Array.of(2)]));
        await soon(near.send([Uint8Array.of(1)]));
        expect([...(await soon(received(peer, 1))), ...(await soon(received(far, 1)))]).toEqual([2, 1]);
        await soon(Promise.all([other.close(), peer.close()]));
        await soon(near.send([Uint8Array.of(3)]));
        expect([...(await soon(received(far, 1)))]).toEqual([3]);
      }),
  },
  {
    name: 'says where nobody listens, and what to do',
    async run(fixture) {
      const soon = patient(fixture);
      const listener = await soon(fixture.transport.listen(fixture.listenAddress));
      await soon(listener.close());
      await soon(listener.close());
      const error = await expectCode(soon(fixture.transport.connect(listener.address)), 'ERR_GODWIT_CONNECT_FAILED');
      expect(error.message).toContain(listener.address);
    },
  },
  {
    name: 'says which address is in use, and frees it on close',
    async run(fixture) {
      const soon = patient(fixture);
      const first = await soon(fixture.transport.listen(fixture.listenAddress));
      const error = await expectCode(soon(fixture.transport.listen(first.address)), 'ERR_GODWIT_LISTEN_FAILED');
      expect(error.message).toContain(first.address);
      await soon(first.close());
      const second = await soon(fixture.transport.listen(first.address));
      expect(second.address).toBe(first.address);
      await soon(second[Symbol.asyncDispose]());
    },
  },
  {
    name: 'ends an accept by its signal, and goes on accepting',
    run: (fixture) =>
      connected(fixture, async ({ listener, soon }) => {
        const [aborter, reason] = [new AbortController(), new Error('enough')];
        const waiting = outcome(soon(listener.accept({ signal: aborter.signal })));
        aborter.abort(reason);
        expect(await waiting).toEqual({ rejected: true, reason });
        expect(await rejection(soon(listener.accept({ signal: aborter.signal })))).toBe(reason);
        const [near, far] = await soon(Promise.all([fixture.transport.connect(listener.address), listener.accept()]));
        await soon(Promise.all([near.send([Uint8Array.of(4)]), received(far, 1)]));
        await soon(Promise.all([near.close(), far.close()]));
      }),
  },
  {
    name: 'ends waiting and later accepts when the listener is closed, but no connection',
    run: (fixture) =>
      connected(fixture, async ({ near, far, listener, soon }) => {
        const waiting = outcome(soon(listener.accept()));
        const closing = outcome(soon(listener.close()));
        expectEndedWith(await waiting, 'ERR_GODWIT_CONNECTION_CLOSED');
        expect(await closing).toEqual({ rejected: false });
        await expectCode(soon(listener.accept()), 'ERR_GODWIT_CONNECTION_CLOSED');
        await soon(near.send([Uint8Array.of(1)]));
        expect([...(await soon(received(far, 1)))]).toEqual([1]);
      }),
  },
  {
    name: 'does not connect for a signal that has fired',
    run: (fixture) =>
      connected(fixture, async ({ listener, soon }) => {
        const reason = new Error('too late');
        const signal = AbortSignal.abort(reason);
        expect(await rejection(soon(fixture.transport.connect(listener.address, { signal })))).toBe(reason);
      }),
  },
  {
    name: 'refuses what is no address',
    async run(fixture) {
      const soon = patient(fixture);
      for (const address of ['', 'nonsense', 'nosuchscheme://x', `x${fixture.listenAddress}`]) {
        expect(await rejection(soon(fixture.transport.connect(address)))).toBeInstanceOf(TypeError);
        expect(await rejection(soon(fixture.transport.listen(address)))).toBeInstanceOf(TypeError);
      }
    },
  },
];

/** What every transport does, case by case. */
export const transportCases: readonly ContractCase<TransportFixture>[] = cases;

/** Holds a transport to its port: order, completeness, back-pressure, timeouts, interruption, closing, addresses. */
export function transportSuite(name: string, make: FixtureMaker<TransportFixture>): void {
  registerCases(name, cases, make);
}
