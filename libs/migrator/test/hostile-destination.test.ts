import { randomBytes } from 'node:crypto';
import type { ErrorCode, Guest } from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Fence, type Migration, migrate } from '../src/index.ts';
import { HostileDestination, type Script } from './hostile-destination.ts';
import { u32, u64 } from './hostile-source.ts';
import { PUMP_KINDS, progress, titleOf } from './pump-kinds.ts';

/** A source meets destinations that lie; unless the guest may really run there, it goes on here. */

const TIMEOUT_MS = 300;
const CONTROL = '\u001b[31mred\u0007\r\n\u0000\u009b';

const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const staysHere: readonly [string, ErrorCode, Script][] = [
  ['REFUSE of garbage', 'ERR_GODWIT_FRAME_MALFORMED', { HELLO: (reply) => reply.send('REFUSE', randomBytes(50)) }],
  [
    'REFUSE with a code that is none',
    'ERR_GODWIT_REFUSED',
    { HELLO: (reply) => reply.send('REFUSE', text({ code: 'ERR_GODWIT_GONE_FISHING', message: CONTROL })) },
  ],
  [
    'REFUSE that claims to be in doubt',
    'ERR_GODWIT_REFUSED',
    { HELLO: (reply) => reply.send('REFUSE', text({ code: 'ERR_GODWIT_IN_DOUBT', message: 'who knows' })) },
  ],
  ['ADMIT of garbage', 'ERR_GODWIT_FRAME_MALFORMED', { HELLO: (reply) => reply.send('ADMIT', randomBytes(50)) }],
  [
    'ADMIT of another version',
    'ERR_GODWIT_FRAME_MALFORMED',
    { HELLO: (reply) => reply.send('ADMIT', text({ protocol: 9, bootId: '' })) },
  ],
  [
    'ADMIT that is too long',
    'ERR_GODWIT_FRAME_MALFORMED',
    { HELLO: (reply) => reply.send('ADMIT', Buffer.alloc(1 << 20, 0x20)) },
  ],
  ['pages in place of ADMIT', 'ERR_GODWIT_PROTOCOL', { HELLO: (reply) => reply.send('PAGES', u32(0), randomBytes(9)) }],
  ['RUNNING in place of ADMIT', 'ERR_GODWIT_PROTOCOL', { HELLO: (reply) => reply.send('RUNNING', u64(1, 1, 1)) }],
  ['random bytes', 'ERR_GODWIT_FRAME_MALFORMED', { HELLO: (reply) => reply.bytes(randomBytes(500)) }],
  ['nothing', 'ERR_GODWIT_PEER_TIMEOUT', { HELLO: () => {} }],
  ['by hanging up', 'ERR_GODWIT_CONNECTION_CLOSED', { HELLO: (reply) => reply.hangUp() }],
  ['SYNCED of another number', 'ERR_GODWIT_PROTOCOL', { SYNC: (reply) => reply.send('SYNCED', u32(77)) }],
  ['SYNCED of no number', 'ERR_GODWIT_PROTOCOL', { SYNC: (reply) => reply.send('SYNCED') }],
  ['no SYNCED', 'ERR_GODWIT_PEER_TIMEOUT', { SYNC: () => {} }],
  ['READY in place of SYNCED', 'ERR_GODWIT_PROTOCOL', { SYNC: (reply) => reply.send('READY', u64(1)) }],
  ['READY of another epoch', 'ERR_GODWIT_PROTOCOL', { STATE: (reply) => reply.send('READY', u64(2)) }],
  ['READY of no epoch', 'ERR_GODWIT_PROTOCOL', { STATE: (reply) => reply.send('READY') }],
  ['no READY', 'ERR_GODWIT_PEER_TIMEOUT', { STATE: () => {} }],
  ['RUNNING before COMMIT', 'ERR_GODWIT_PROTOCOL', { STATE: (reply) => reply.send('RUNNING', u64(1, 1, 1)) }],
  ['random bytes in place of READY', 'ERR_GODWIT_FRAME_MALFORMED', { STATE: (reply) => reply.bytes(randomBytes(500)) }],
  [
    'a frame of 4 GiB in place of READY',
    'ERR_GODWIT_FRAME_MALFORMED',
    { STATE: (reply) => reply.bytes(Buffer.alloc(24, 0xff)) },
  ],
  [
    'FAILED with control characters',
    'ERR_GODWIT_PEER_FAILED',
    { STATE: (reply) => reply.send('FAILED', Buffer.from(`ERR_GODWIT_IN_DOUBT: ${CONTROL}`)) },
  ],
  [
    'FAILED that is long and no text',
    'ERR_GODWIT_PEER_FAILED',
    { SYNC: (reply) => reply.send('FAILED', randomBytes(1 << 20)) },
  ],
  [
    'FAILED after COMMIT, and RENOUNCED when it is asked',
    'ERR_GODWIT_PEER_FAILED',
    {
      COMMIT: (reply) => reply.send('FAILED', Buffer.from('ERR_GODWIT_STATE_INVALID: it would not start')),
      QUERY: (reply, body) => reply.send('RENOUNCED', body.subarray(16)),
    },
  ],
  [
    'RUNNING of another epoch, and RENOUNCED when it is asked',
    'ERR_GODWIT_PROTOCOL',
    {
      COMMIT: (reply) => reply.send('RUNNING', u64(2, 1, 1)),
      QUERY: (reply, body) => reply.send('RENOUNCED', body.subarray(16)),
    },
  ],
];

const inDoubt: readonly [string, Script][] = [
  ['RUNNING of a wrong length', { COMMIT: (reply) => reply.send('RUNNING', u64(1)) }],
  ['RUNNING of another epoch', { COMMIT: (reply) => reply.send('RUNNING', u64(3, 1, 1)) }],
  ['FAILED', { COMMIT: (reply) => reply.send('FAILED', Buffer.from(CONTROL)) }],
  ['random bytes', { COMMIT: (reply) => reply.bytes(randomBytes(100)) }],
  ['nothing', { COMMIT: () => {} }],
  ['by hanging up', { COMMIT: (reply) => reply.hangUp() }],
];

const wrongAnswers: readonly [string, Script][] = [
  ['nothing', { QUERY: () => {} }],
  ['random bytes', { QUERY: (reply) => reply.bytes(randomBytes(100)) }],
  ['that it knows of no such session', { QUERY: (reply, body) => reply.send('UNKNOWN', body.subarray(16)) }],
  ['for another epoch that it renounced', { QUERY: (reply) => reply.send('RENOUNCED', u64(2)) }],
  ['for another epoch that it started', { QUERY: (reply) => reply.send('STARTED', u64(2, 1)) }],
  ['without an epoch', { QUERY: (reply) => reply.send('RENOUNCED') }],
  ['STARTED of a wrong length', { QUERY: (reply) => reply.send('STARTED', u64(1)) }],
  ['with RUNNING', { QUERY: (reply) => reply.send('RUNNING', u64(1, 1, 1)) }],
];

const afterStart: readonly [string, Script][] = [
  ['VERIFIED of garbage', { DIGEST_END: (reply) => reply.send('VERIFIED', randomBytes(13)) }],
  ['VERIFIED of nothing', { DIGEST_END: (reply) => reply.send('VERIFIED') }],
  ['random bytes', { DIGEST_END: (reply) => reply.bytes(randomBytes(100)) }],
  ['nothing', { DIGEST_END: () => {} }],
  ['FAILED', { DIGEST_END: (reply) => reply.send('FAILED', Buffer.from(CONTROL)) }],
  ['by hanging up', { DIGEST_END: (reply) => reply.hangUp() }],
  ['that fewer pages were compared than it was told of', { DIGEST_END: (reply) => reply.send('VERIFIED', u64(0, 0)) }],
];

for (const kind of PUMP_KINDS) {
  describe.skipIf(kind.missingBecause !== undefined)(titleOf('a source and a hostile destination', kind), () => {
    let guest: Guest;
    let destination: HostileDestination;

    beforeEach(async () => {
      guest = await kind.create();
    });
    afterEach(async () => {
      await guest.close();
      await destination.close();
    });

    async function start(script: Script, options: { fence?: Fence } = {}): Promise<Migration> {
      destination = await HostileDestination.start(script);
      const tracker = kind.tracker(guest);
      const migration = migrate({
        guest,
        tracker,
        scanner: createZeroPageScanner(),
        strategy: preCopy(),
        transport: kind.transport,
        address: destination.address,
        budget: { totalMs: 1000, downtimeMs: 100 },
        timeoutMs: TIMEOUT_MS,
        reconnectMs: 100,
        ...options,
      });
      await migration.report.catch(() => {});
      await tracker.close();
      return migration;
    }

    it.each(staysHere)('keeps the guest when it answers %s', async (_what, code, script) => {
      const { report } = await start(script);
      await expect(report).rejects.toMatchObject({ code, message: expect.not.stringMatching(/\p{Cc}/u) });
      await expect(report).rejects.toSatisfy((error: Error) => error.message.length < 4096);
      await progress(guest);
    });

    it.each(inDoubt)('stays frozen when it answers COMMIT with %s', async (_what, script) => {
      const { report } = await start(script);
      await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_IN_DOUBT' });
      expect(destination.heard).toContain('QUERY');
      expect(guest.running).toBe(false);
      // The caller knows better, and takes it back.
      await guest.resume();
      await progress(guest);
    });

    it.each(wrongAnswers)('stays frozen when it answers QUERY %s', async (_what, script) => {
      const { report } = await start({ COMMIT: (reply) => reply.hangUp(), ...script });
      await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_IN_DOUBT' });
      expect(guest.running).toBe(false);
    });

    it('stays in doubt when its fence fails', async () => {
      const fence = async (): Promise<never> => {
        throw new Error('the fence is down');
      };
      const { report } = await start({ COMMIT: (reply) => reply.hangUp() }, { fence });
      await expect(report).rejects.toMatchObject({ code: 'ERR_GODWIT_IN_DOUBT' });
      expect(guest.running).toBe(false);
    });

    it.each(afterStart)('says that nothing was verified when it answers the digest with %s', async (_what, script) => {
      const { report } = await start(script);
      expect(await report).toMatchObject({ verified: false, verifyError: expect.stringContaining('ERR_GODWIT') });
      expect((await report).verifyError).not.toMatch(/\p{Cc}/u);
      expect(guest.running).toBe(false);
    });

    it.each([
      ['before it began', 1n],
      ['far in the future', 2n ** 63n],
    ])('does not believe a start %s', async (_what, startedAtNs) => {
      const { bootId } = await import('../src/boot-id.ts');
      const { report } = await start({
        HELLO: (reply) => reply.send('ADMIT', text({ protocol: 1, bootId: bootId() })),
        COMMIT: (reply, body) => reply.send('RUNNING', Buffer.concat([body, u64(startedAtNs, 0)])),
      });
      const { blackoutMs, totalMs } = await report;
      expect(blackoutMs).toBeGreaterThan(0);
      expect(blackoutMs).toBeLessThan(totalMs);
    });
  });
}
