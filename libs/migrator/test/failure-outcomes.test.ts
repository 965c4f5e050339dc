import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FrameName } from '../src/frame.ts';
import { type Fault, FaultProxy } from './fault-proxy.ts';
import { GUEST_KINDS } from './host/guest-kinds.ts';
import { TestHost } from './host/test-host.ts';

/** Each line of the table of failures in docs/PROTOCOL.md, between two real processes. */

const MEMORY = { memoryBytes: 256 << 20, residentBytes: 48 << 20, workload: 'appmembench' } as const;

const open: { close?(): Promise<void>; stop?(): Promise<void> }[] = [];
const journals: string[] = [];

afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await (resource.close?.() ?? resource.stop?.());
  for (const path of journals.splice(0)) await rm(path, { force: true });
});

interface Scene {
  readonly source: TestHost;
  readonly destination: TestHost;
  readonly address: string;
  readonly journalPath: string;
}

async function scene(kind: string): Promise<Scene> {
  const [source, destination] = await Promise.all([TestHost.start(), TestHost.start()]);
  open.push(source, destination);
  const journalPath = join(tmpdir(), `godwit-journal-${process.pid}-${destination.pid}`);
  journals.push(journalPath);
  await source.ask('create', { kind, ...MEMORY });
  const { address } = await destination.ask('listen', { kind, journalPath, timeoutMs: 2000 });
  return { source, destination, address, journalPath };
}

async function proxied(address: string, fault: Fault): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(address, fault);
  open.push(proxy);
  return proxy;
}

/** The guest runs there, makes progress, and has found no fault in its memory. */
async function expectRunning(host: TestHost): Promise<void> {
  const first = await host.ask('look', {});
  expect(first.running).toBe(true);
  let now = first;
  while (now.selfCheck.checkedCount <= first.selfCheck.checkedCount) now = await host.ask('look', {});
  expect(now.selfCheck).toMatchObject({ ok: true, errorCount: 0 });
}

for (const kind of GUEST_KINDS) {
  describe.skipIf(kind.missingBecause !== undefined)(
    `${kind.name}${kind.missingBecause ? ` (skipped: ${kind.missingBecause})` : ''}`,
    () => {
      it('moves between two processes and goes on there', async () => {
        const { source, destination, address } = await scene(kind.name);
        const [report, arrival] = await Promise.all([
          source.ask('migrate', { address }),
          destination.ask('arrival', {}),
        ]);
        expect(report).toMatchObject({ verified: true, mismatchedPages: 0 });
        expect(arrival.mismatchedPages).toBe(0);
        expect((await source.ask('look', {})).running).toBe(false);
        await expectRunning(destination);
      });

      const beforeCommit: readonly [string, FrameName, number][] = [
        ['while it admits the guest', 'ADMIT', 1],
        ['in the first round', 'PAGES', 5],
        ['when it has everything but COMMIT', 'READY', 1],
      ];
      it.each(beforeCommit)('goes on at the source when the destination is killed %s', async (_when, frame, nth) => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, {
          on: frame,
          nth,
          deliver: false,
          cut: true,
          act: () => destination.kill(),
        });
        await expect(source.ask('migrate', { address: proxy.address })).rejects.toMatchObject({
          code: 'ERR_GODWIT_CONNECTION_CLOSED',
        });
        await expectRunning(source);
      });

      it('runs at the destination when the source is killed after COMMIT', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, { on: 'COMMIT', deliver: true, cut: false, act: () => source.kill() });
        const arrival = destination.ask('arrival', {});
        await expect(source.ask('migrate', { address: proxy.address })).rejects.toMatchObject({ code: 'GONE' });
        expect((await arrival).mismatchedPages).toBeUndefined();
        await expectRunning(destination);
      });

      it('learns that the guest runs when the connection is cut with COMMIT delivered', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, { on: 'RUNNING', deliver: false, cut: true });
        const [report, arrival] = await Promise.all([
          source.ask('migrate', { address: proxy.address }),
          destination.ask('arrival', {}),
        ]);
        expect(report.bytes.wire).toBeGreaterThan(report.bytes.raw + report.bytes.xbzrle);
        expect(report.verified).toBe(true);
        expect(arrival.mismatchedPages).toBe(0);
        expect((await source.ask('look', {})).running).toBe(false);
        await expectRunning(destination);
      });

      it('compares over another connection when the first is cut in the digest', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, { on: 'DIGEST_END', deliver: false, cut: true });
        const [report, arrival] = await Promise.all([
          source.ask('migrate', { address: proxy.address }),
          destination.ask('arrival', {}),
        ]);
        expect(report).toMatchObject({ verified: true, mismatchedPages: 0 });
        expect(arrival.mismatchedPages).toBe(0);
        await expectRunning(destination);
      });

      it('says that nothing was compared, and starts nothing, when the destination is killed after RUNNING', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, {
          on: 'DIGEST_END',
          deliver: false,
          cut: true,
          act: () => destination.kill(),
        });
        const report = await source.ask('migrate', { address: proxy.address, reconnectMs: 200 });
        expect(report.verified).toBe(false);
        expect(report.verifyError).toContain('ERR_GODWIT');
        // It took its newest writes with it: going back is for the caller to decide.
        expect((await source.ask('look', {})).running).toBe(false);
      });

      it('goes on at the source when the connection is cut with COMMIT lost', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, { on: 'COMMIT', deliver: false, cut: true });
        await expect(source.ask('migrate', { address: proxy.address })).rejects.toMatchObject({
          code: 'ERR_GODWIT_CONNECTION_CLOSED',
        });
        await expectRunning(source);
        await expect(destination.ask('look', {})).rejects.toThrow('no guest');
      });

      it('goes on at the source on proof that the destination died before it started the guest', async () => {
        const { source, destination, address, journalPath } = await scene(kind.name);
        const proxy = await proxied(address, {
          on: 'COMMIT',
          deliver: false,
          cut: true,
          act: () => destination.kill(),
        });
        const migrated = source.ask('migrate', {
          address: proxy.address,
          journalPath,
          destinationPid: destination.pid,
        });
        await expect(migrated).rejects.toMatchObject({ code: 'ERR_GODWIT_CONNECTION_CLOSED' });
        await expectRunning(source);
      });

      it('says that the guest is lost when the destination died after it had started the guest', async () => {
        const { source, destination, address, journalPath } = await scene(kind.name);
        const act = () => destination.kill();
        const proxy = await proxied(address, { on: 'RUNNING', deliver: false, cut: true, act });
        const migrated = source.ask('migrate', {
          address: proxy.address,
          journalPath,
          destinationPid: destination.pid,
        });
        await expect(migrated).rejects.toMatchObject({ code: 'ERR_GODWIT_GUEST_LOST' });
        expect((await source.ask('look', {})).running).toBe(false);
      });

      it('is not moved a second time by a source that has lost it', async () => {
        const { source, destination, address } = await scene(kind.name);
        await Promise.all([source.ask('migrate', { address }), destination.ask('arrival', {})]);
        await expect(source.ask('migrate', { address })).rejects.toMatchObject({ code: 'ERR_GODWIT_GUEST_STATE' });
        await expectRunning(destination);
      });

      it('is not moved by two migrations at once', async () => {
        const { source, destination, address } = await scene(kind.name);
        const both = await Promise.allSettled([source.ask('migrate', { address }), source.ask('migrate', { address })]);
        expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
          reason: { code: 'ERR_GODWIT_GUEST_STATE' },
        });
        await destination.ask('arrival', {});
        await expectRunning(destination);
      });

      it('stays in doubt, frozen, when the destination is gone and nothing is proved', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, {
          on: 'COMMIT',
          deliver: false,
          cut: true,
          act: () => destination.kill(),
        });
        const migrated = source.ask('migrate', { address: proxy.address, reconnectMs: 200 });
        await expect(migrated).rejects.toMatchObject({ code: 'ERR_GODWIT_IN_DOUBT' });
        expect((await source.ask('look', {})).running).toBe(false);
      });

      it('goes on at the source when the connection is cut in a round, and can be moved again', async () => {
        const { source, destination, address } = await scene(kind.name);
        const proxy = await proxied(address, { on: 'PAGES', nth: 8, deliver: false, cut: true });
        await expect(source.ask('migrate', { address: proxy.address })).rejects.toMatchObject({
          code: 'ERR_GODWIT_CONNECTION_CLOSED',
        });
        await expectRunning(source);
        const [report] = await Promise.all([source.ask('migrate', { address }), destination.ask('arrival', {})]);
        expect(report.verified).toBe(true);
        await expectRunning(destination);
      });

      it('goes on at the source when it is cancelled in a round', async () => {
        const { source, address } = await scene(kind.name);
        const migrated = source.ask('migrate', { address, cancelInRound: 0, linkBytesPerSecond: 100_000_000 });
        await expect(migrated).rejects.toThrow('cancelled by the test');
        await expectRunning(source);
      });

      it.each([
        ['a dirty page is lost', { forgetOneIn: 1_000_000 }, {}],
        ['a page is torn', { tearPage: true }, {}],
        ['a page is left stale', {}, { keepStalePage: true }],
      ])('verification turns red when %s', async (_what, atSource, atDestination) => {
        const { source, destination } = await scene(kind.name);
        const { address } = await destination.ask('listen', { kind: kind.name, injectedFaults: atDestination });
        const [report, arrival] = await Promise.all([
          source.ask('migrate', { address, injectedFaults: atSource, encode: false, strategy: 'rewritten' }),
          destination.ask('arrival', {}),
        ]);
        expect(report.verified).toBe(false);
        expect(report.mismatchedPages).toBeGreaterThan(0);
        expect(arrival.mismatchedPages).toBe(report.mismatchedPages);
      });
    },
  );
}
