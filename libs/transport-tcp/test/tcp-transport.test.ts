import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TransportFixture, transportSuite } from '@godwit/contract-tests';
import { type Backend, isGodwitError } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { type TcpOptions, type TcpTransport, tcp } from '../src/index.ts';
import { native } from '../src/native.ts';

const backends: readonly Backend[] = ['native', 'typescript'];
const missing = 'the native addon is not built here';

function transport(options: TcpOptions): TcpTransport | string {
  return options.backend === 'native' && native.binding === undefined ? missing : tcp(options);
}

async function unixFixture(backend: Backend): Promise<TransportFixture | string> {
  const made = transport({ backend });
  if (typeof made === 'string') return made;
  const folder = await mkdtemp(join(tmpdir(), 'godwit-tcp-'));
  return {
    transport: made,
    listenAddress: `unix://${folder}/socket`,
    resolvesAddress: false,
    dispose: () => rm(folder, { recursive: true }),
  };
}

function tcpFixture(options: TcpOptions, listenAddress = 'tcp://127.0.0.1:0'): TransportFixture | string {
  const made = transport(options);
  return typeof made === 'string' ? made : { transport: made, listenAddress };
}

for (const backend of backends) {
  transportSuite(`tcp, ${backend}`, () => tcpFixture({ backend }));
  transportSuite(`tcp over IPv6, ${backend}`, () => tcpFixture({ backend }, 'tcp://[::1]:0'));
  transportSuite(`unix, ${backend}`, () => unixFixture(backend));
  transportSuite(`tcp on a capped link, ${backend}`, () => tcpFixture({ backend, linkBytesPerSecond: 1_250_000_000 }));

  describe.skipIf(backend === 'native' && native.binding === undefined)(`tcp, ${backend}`, () => {
    const plain = (): TcpTransport => tcp({ backend });

    it('says which backend is in use', () => {
      expect(plain().backend).toBe(backend);
    });

    it.each(['tcp://192.0.2.1:9', 'tcp://0.0.0.0:0', 'tcp://[::]:0', 'tcp://[::ffff:192.0.2.1]:9'])(
      'keeps a guest on this machine: %s',
      async (address) => {
        for (const attempt of ['connect', 'listen'] as const) {
          const error = await plain()
            [attempt](address)
            .catch((reason: unknown) => reason);
          expect(isGodwitError(error, 'ERR_GODWIT_INSECURE')).toBe(true);
          expect(String(error)).toContain('allowInsecure');
        }
      },
    );

    it('goes beyond this machine when it is allowed to', async () => {
      const listener = await tcp({ backend, allowInsecure: true }).listen('tcp://0.0.0.0:0');
      expect(listener.address).toMatch(/^tcp:\/\/0\.0\.0\.0:\d+$/);
      const near = await plain().connect(listener.address.replace('0.0.0.0', '127.0.0.1'));
      await (await listener.accept()).close();
      await near.close();
      await listener.close();
    });

    it('looks names up', async () => {
      const listener = await plain().listen('tcp://localhost:0');
      expect(listener.address).toMatch(/^tcp:\/\/(127\.0\.0\.1|\[::1\]):\d+$/);
      await listener.close();
      await expect(plain().connect('tcp://no.such.host.invalid:1')).rejects.toMatchObject({
        code: 'ERR_GODWIT_CONNECT_FAILED',
      });
    });

    it.each([
      'tcp://127.0.0.1',
      'tcp://127.0.0.1:65536',
      'tcp://127.0.0.1:-1',
      'tcp://:1',
      'tcp://::1:1',
      'tcp://user@127.0.0.1:1',
      'tcp://127.0.0.1:1/x',
      'unix://relative',
      'unix:///',
      `unix:///${'x'.repeat(107)}`,
    ])('refuses %s', async (address) => {
      await expect(plain().connect(address)).rejects.toThrow(TypeError);
      await expect(plain().listen(address)).rejects.toThrow(TypeError);
    });

    it('gives up connecting when its signal fires', async () => {
      // The kernel may have connected them by then: the caller does not hear of it.
      const server = createServer();
      await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('no port');
      const [aborter, reason] = [new AbortController(), new Error('enough')];
      const attempt = plain().connect(`tcp://127.0.0.1:${bound.port}`, { signal: aborter.signal });
      aborter.abort(reason);
      await expect(attempt).rejects.toBe(reason);
      server.close();
    });

    it('removes the file of a Unix socket', async () => {
      const fixture = await unixFixture(backend);
      if (typeof fixture === 'string') throw new Error(fixture);
      const listener = await fixture.transport.listen(fixture.listenAddress);
      const path = fixture.listenAddress.slice('unix://'.length);
      expect(existsSync(path)).toBe(true);
      await listener.close();
      expect(existsSync(path)).toBe(false);
      await fixture.dispose?.();
    });

    it('frees a sender that waits for the link when the cap is lifted', async () => {
      const listener = await plain().listen('tcp://127.0.0.1:0');
      const [near, far] = await Promise.all([plain().connect(listener.address), listener.accept()]);
      near.setLinkBytesPerSecond(1);
      const sending = near.send([new Uint8Array(1 << 20)]);
      await far.receive(new Uint8Array(4096));
      near.setLinkBytesPerSecond(undefined);
      await far.receive(new Uint8Array((1 << 20) - 4096));
      await sending;
      await Promise.all([near.close(), far.close(), listener.close()]);
    });

    it('sends bytes of shared memory', async () => {
      const listener = await plain().listen('tcp://127.0.0.1:0');
      const [near, far] = await Promise.all([plain().connect(listener.address), listener.accept()]);
      const [from, to] = [new Uint8Array(new SharedArrayBuffer(100)), new Uint8Array(new SharedArrayBuffer(100))];
      from.fill(9);
      await Promise.all([near.send([from]), far.receive(to)]);
      expect([...to]).toEqual([...from]);
      await Promise.all([near.close(), far.close(), listener.close()]);
    });

    it('waits on many connections at once without holding up the event loop or libuv', async () => {
      const listener = await plain().listen('tcp://127.0.0.1:0');
      const ends = [];
      for (let count = 0; count < 12; count++) {
        ends.push(...(await Promise.all([plain().connect(listener.address), listener.accept()])));
      }
      const waiting = ends.map((end) => end.receive(new Uint8Array(1), { timeoutMs: Number.POSITIVE_INFINITY }));
      const accepting = listener.accept();
      // Runs on libuv's pool.
      expect(await rm(join(tmpdir(), 'godwit-no-such-file'), { force: true })).toBeUndefined();
      await Promise.all(ends.map((end) => end.send([Uint8Array.of(1)])));
      await Promise.all(waiting);
      const last = await Promise.all([plain().connect(listener.address), accepting]);
      await Promise.all([...ends, ...last, listener].map((open) => open.close()));
    });
  });
}

describe('options', () => {
  it.each([{ linkBytesPerSecond: 0 }, { linkBytesPerSecond: Number.NaN }, { timeoutMs: -1 }])(
    'refuses %o',
    (options) => {
      expect(() => tcp(options)).toThrow(RangeError);
    },
  );

  it('takes native code where it is built', () => {
    expect(tcp().backend).toBe(native.binding === undefined ? 'typescript' : 'native');
  });
});
