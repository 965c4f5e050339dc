import { randomBytes } from 'node:crypto';
import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { type Guest, isGodwitError } from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Destination, listenForGuests, migrate } from '../src/index.ts';
import { HostileSource, helloOf, u32, u64 } from './hostile-source.ts';
import { type Pretended, VISITS } from './hostile-visits.ts';
import { PUMP_KINDS, progress, titleOf } from './pump-kinds.ts';

/** A destination is visited by peers that lie; whatever they say, it lives on and takes the next guest. */

const TOKEN = 'open sesame';
/** Long enough for an honest guest on a busy machine, short enough to wait for where a peer says nothing. */
const TIMEOUT_MS = 1500;

for (const kind of PUMP_KINDS) {
  describe.skipIf(kind.missingBecause !== undefined)(titleOf('a destination among hostile peers', kind), () => {
    let pretended: Pretended;
    /** Is moved there and back, test after test. */
    let honest: Guest;
    let destination: Destination;
    let failures: Error[];
    let failed: () => void;
    let madeGuests: Guest[];

    beforeAll(async () => {
      const guest = await kind.create();
      await guest.pause();
      pretended = { guest, digest: kind.digest, state: await guest.saveState() };
      honest = await kind.create();
    });
    afterAll(async () => {
      await pretended.guest.close();
      await honest.close();
    });

    beforeEach(async () => {
      failures = [];
      failed = () => {};
      madeGuests = [];
      destination = await listen();
    });
    afterEach(() => destination.close());

    function listen(options: { memoryLimitBytes?: number } = {}): Promise<Destination> {
      return listenForGuests({
        transport: kind.transport,
        address: 'tcp://127.0.0.1:0',
        token: TOKEN,
        timeoutMs: TIMEOUT_MS,
        codecs: [createXbzrleCodec()],
        createGuest: async (description) => {
          const guest = await kind.restore(description);
          madeGuests.push(guest);
          return guest;
        },
        onFailure: (error) => {
          failures.push(error);
          failed();
        },
        ...options,
      });
    }

    /** Resolves to the next failure that the destination reports. */
    async function nextFailure(): Promise<Error> {
      while (failures.length === 0) {
        await new Promise<void>((resolve) => {
          failed = resolve;
        });
      }
      return failures.shift() as Error;
    }

    /** A guest comes, runs, is whole, and becomes the one that is moved next. */
    async function expectAlive(): Promise<void> {
      expect(madeGuests.filter((guest) => guest.running)).toEqual([]);
      const tracker = kind.tracker(honest);
      const migration = migrate({
        guest: honest,
        tracker,
        scanner: createZeroPageScanner(),
        codec: createXbzrleCodec(),
        strategy: preCopy(),
        transport: kind.transport,
        address: destination.address,
        token: TOKEN,
        budget: { totalMs: 1000, downtimeMs: 100 },
      });
      const [report, arrival] = await Promise.all([migration.report, destination.nextArrival()]);
      expect(report).toMatchObject({ verified: true, backends: { pump: kind.name } });
      await tracker.close();
      await honest.close();
      honest = arrival.guest;
      await arrival.verification;
      await progress(honest);
    }

    it.each(VISITS)('is not impressed by $what', async ({ code, answer, act }) => {
      const peer = await HostileSource.visit(destination.address);
      await act(peer, pretended);
      expect(await nextFailure()).toMatchObject({ code });
      if (answer !== undefined) expect((await peer.expect(answer)).toString()).toContain(code);
      expect(await peer.answer()).toBeUndefined();
      await expectAlive();
    });

    it('sends a visitor away that says nothing', async () => {
      const peer = await HostileSource.visit(destination.address);
      expect(await nextFailure()).toMatchObject({ code: 'ERR_GODWIT_PEER_TIMEOUT' });
      await peer.expect('REFUSE');
      await expectAlive();
    });

    it('sends a visitor away that says nothing once it was admitted', async () => {
      const peer = await HostileSource.visit(destination.address);
      peer.sendJson('HELLO', helloOf(pretended.guest, kind.digest, { token: TOKEN }));
      await peer.expect('ADMIT');
      expect(await nextFailure()).toMatchObject({ code: 'ERR_GODWIT_PEER_TIMEOUT' });
      await expectAlive();
    });

    it('sends a visitor away that spells its HELLO byte by byte', async () => {
      const peer = await HostileSource.visit(destination.address);
      const bytes = peer.frame('HELLO', new Uint8Array(60_000));
      let sent = 0;
      const dribble = setInterval(() => peer.bytes(bytes.subarray(sent, ++sent)), TIMEOUT_MS / 10);
      expect(await nextFailure()).toMatchObject({ code: 'ERR_GODWIT_PEER_TIMEOUT' });
      clearInterval(dribble);
      await expectAlive();
    });

    it('refuses a guest that has no room before it has sent anything', async () => {
      const small = await listen({ memoryLimitBytes: 4095 });
      const tracker = kind.tracker(honest);
      const migration = migrate({
        guest: honest,
        tracker,
        scanner: createZeroPageScanner(),
        strategy: preCopy(),
        transport: kind.transport,
        address: small.address,
        token: TOKEN,
        budget: { totalMs: 1000, downtimeMs: 100 },
      });
      await expect(migration.report).rejects.toMatchObject({ code: 'ERR_GODWIT_MEMORY_SHORT' });
      await tracker.close();
      const phases: string[] = [];
      for await (const event of migration) if (event.type === 'phase') phases.push(event.phase);
      expect(phases).toEqual(['setup']);
      expect(madeGuests).toEqual([]);
      await progress(honest);
      await small.close();
      failures.length = 0;
      await expectAlive();
    });

    it('knows nothing of a session that never was', async () => {
      const peer = await HostileSource.visit(destination.address);
      peer.send('QUERY', Buffer.concat([randomBytes(16), u64(1)]));
      expect(await peer.expect('UNKNOWN')).toEqual(u64(1));
      await expectAlive();
    });

    it('knows nothing of another epoch of a session', async () => {
      const [peer, other] = await Promise.all([
        HostileSource.visit(destination.address),
        HostileSource.visit(destination.address),
      ]);
      const session = randomBytes(16);
      peer.sendJson('HELLO', helloOf(pretended.guest, kind.digest, { token: TOKEN, session: session.toString('hex') }));
      await peer.expect('ADMIT');
      other.send('QUERY', Buffer.concat([session, u64(2)]));
      expect(await other.expect('UNKNOWN')).toEqual(u64(2));
      peer.leave();
      await nextFailure();
      await expectAlive();
    });

    it('never starts a guest that it renounced', async () => {
      const [peer, other] = await Promise.all([
        HostileSource.visit(destination.address),
        HostileSource.visit(destination.address),
      ]);
      const session = randomBytes(16);
      peer.sendJson('HELLO', helloOf(pretended.guest, kind.digest, { token: TOKEN, session: session.toString('hex') }));
      await peer.expect('ADMIT');
      peer.send('STATE', Buffer.concat([u64(1), pretended.state]));
      await peer.expect('READY');
      other.send('QUERY', Buffer.concat([session, u64(1)]));
      expect(await other.expect('RENOUNCED')).toEqual(u64(1));
      peer.send('COMMIT', u64(1));
      expect(isGodwitError(await nextFailure())).toBe(true);
      for (let answer = await peer.answer(); answer !== undefined; answer = await peer.answer()) {
        expect(answer.name).not.toBe('RUNNING');
      }
      await expectAlive();
    });

    it('takes a session once', async () => {
      const [peer, other] = await Promise.all([
        HostileSource.visit(destination.address),
        HostileSource.visit(destination.address),
      ]);
      const hello = helloOf(pretended.guest, kind.digest, { token: TOKEN });
      peer.sendJson('HELLO', hello);
      await peer.expect('ADMIT');
      other.sendJson('HELLO', hello);
      expect((await other.expect('REFUSE')).toString()).toContain('ERR_GODWIT_PROTOCOL');
      expect(await nextFailure()).toMatchObject({ code: 'ERR_GODWIT_PROTOCOL' });
      // The first is not disturbed.
      peer.send('SYNC', u32(7));
      expect(await peer.expect('SYNCED')).toEqual(u32(7));
      peer.leave();
      await nextFailure();
      await expectAlive();
    });

    const digests: readonly [string, (peer: HostileSource, pageCount: number) => void][] = [
      ['a digest of a wrong length', (peer) => peer.send('DIGEST', u32(9))],
      ['a digest of a page outside memory', (peer, pages) => peer.send('DIGEST', u32(1, pages, 0, 1, 1))],
      [
        'a digest that names a page twice',
        (peer) => {
          peer.send('DIGEST', u32(2, 0, 0, 1, 1, 0, 0, 1, 1));
          peer.send('DIGEST_END', u64(2));
        },
      ],
      ['a digest that says it named more', (peer) => peer.send('DIGEST_END', u64(5))],
      ['a second COMMIT', (peer) => peer.send('COMMIT', u64(1))],
      ['pages', (peer) => peer.send('PAGES', u32(1, 0, 1), Buffer.alloc(4096))],
      ['garbage', (peer) => peer.bytes(randomBytes(4096))],
      ['late frames of garbage', (peer) => peer.send('LATE', randomBytes(1000))],
      ['nothing', (peer) => peer.leave()],
    ];
    it.each(digests)('lets the guest run when %s follows its start', async (_what, act) => {
      const peer = await HostileSource.visit(destination.address);
      peer.sendJson('HELLO', helloOf(pretended.guest, kind.digest, { token: TOKEN }));
      await peer.expect('ADMIT');
      peer.send('STATE', Buffer.concat([u64(1), pretended.state]));
      await peer.expect('READY');
      peer.send('COMMIT', u64(1));
      await peer.expect('RUNNING');
      const { guest, verification } = await destination.nextArrival();
      act(peer, guest.memory.pageCount);
      await expect(verification).rejects.toSatisfy((error) => isGodwitError(error));
      // Its memory is empty, so it may have crashed; but nobody has stopped it.
      expect(await guest.selfCheck()).toBeDefined();
      await guest.close();
      await expectAlive();
    });

    it('takes a guest after a hundred visits of garbage', async () => {
      for (let visit = 0; visit < 100; visit += 1) {
        const peer = await HostileSource.visit(destination.address);
        peer.bytes(randomBytes(1 + ((visit * 37) % 300)));
        peer.end();
      }
      for (let visit = 0; visit < 100; visit += 1) expect(isGodwitError(await nextFailure())).toBe(true);
      await expectAlive();
    });

    it('takes a guest while a hundred visitors say nothing', async () => {
      const peers = await Promise.all(Array.from({ length: 100 }, () => HostileSource.visit(destination.address)));
      await expectAlive();
      for (const peer of peers) peer.leave();
    });
  });
}
