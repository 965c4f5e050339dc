import { once } from 'node:events';
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net';
import { GodwitError } from '@godwit/ports';
import { NodeTcpConnection } from './node-connection.ts';
import { NodeTcpListener } from './node-listener.ts';
import { resolveHost } from './resolve-host.ts';
import { formatTcpAddress, parseTcpAddress, type TcpAddress } from './tcp-address.ts';
import type { TcpConnection, TcpListener, TcpSettings, TcpTransport } from './tcp-transport.ts';
import { timeout } from './timeout.ts';

/** The transport over `node:net`. */
export function nodeTransport(settings: TcpSettings): TcpTransport {
  return {
    name: 'tcp',
    backend: 'typescript',
    async connect(address, options = {}): Promise<TcpConnection> {
      const target = parseTcpAddress(address);
      const timeoutMs = timeout(options.timeoutMs, settings.timeoutMs);
      options.signal?.throwIfAborted();
      let failure: unknown;
      for (const candidate of await candidates(target, settings, 'ERR_GODWIT_CONNECT_FAILED')) {
        try {
          const socket = await open(candidate, timeoutMs, options.signal);
          return new NodeTcpConnection(socket, formatTcpAddress(candidate), settings);
        } catch (error) {
          options.signal?.throwIfAborted();
          failure = error;
        }
      }
      throw failure;
    },
    async listen(address): Promise<TcpListener> {
      const target = parseTcpAddress(address);
      const [candidate = target] = await candidates(target, settings, 'ERR_GODWIT_LISTEN_FAILED');
      const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true });
      try {
        server.listen(candidate);
        await once(server, 'listening');
      } catch (error) {
        throw unavailable(candidate, error);
      }
      return new NodeTcpListener(server, boundAddress(server, candidate), settings);
    },
  };
}

async function candidates(
  target: TcpAddress,
  settings: TcpSettings,
  code: 'ERR_GODWIT_CONNECT_FAILED' | 'ERR_GODWIT_LISTEN_FAILED',
): Promise<readonly TcpAddress[]> {
  if ('path' in target) return [target];
  const hosts = await resolveHost(target.host, settings.allowInsecure, code);
  return hosts.map((host) => ({ host, port: target.port }));
}

/** Opens a socket; rejects with `signal.reason` or `ERR_GODWIT_CONNECT_FAILED`. */
function open(target: TcpAddress, timeoutMs: number, signal: AbortSignal | undefined): Promise<Socket> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const socket = openSocket({ ...target, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const settled = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', failed);
      socket.off('connect', connected);
      settle();
    };
    const fail = (reason: unknown): void =>
      settled(() => {
        // What a destroyed socket still has to say interests nobody.
        socket.on('error', () => {});
        socket.destroy();
        reject(reason);
      });
    const abort = (): void => fail(signal?.reason);
    const failed = (error: unknown): void => fail(unreachable(target, error));
    const connected = (): void => settled(() => resolve(socket));
    const timer =
      timeoutMs < 2 ** 31
        ? setTimeout(() => fail(unreachable(target, new Error(`no answer for ${timeoutMs} ms`))), timeoutMs)
        : undefined;
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('error', failed);
    socket.on('connect', connected);
  });
}

function boundAddress(server: Server, target: TcpAddress): string {
  const bound = server.address();
  return bound !== null && typeof bound === 'object'
    ? formatTcpAddress({ host: bound.address, port: bound.port })
    : formatTcpAddress(target);
}

function unreachable(target: TcpAddress, cause: unknown): GodwitError {
  const code = errno(cause);
  const hint =
    code === 'ECONNREFUSED' || code === 'ENOENT' ? ': nobody listens there; start the destination first' : '';
  const message = `cannot connect to ${formatTcpAddress(target)} (${code})${hint}`;
  return new GodwitError('ERR_GODWIT_CONNECT_FAILED', message, { cause });
}

function unavailable(target: TcpAddress, cause: unknown): GodwitError {
  const code = errno(cause);
  const busy =
    'path' in target
      ? ': another process listens there, or has left the file behind; end it or remove the file'
      : ': another process listens there; end it, choose another port, or use port 0 for a free one';
  const message = `cannot listen on ${formatTcpAddress(target)} (${code})${code === 'EADDRINUSE' ? busy : ''}`;
  return new GodwitError('ERR_GODWIT_LISTEN_FAILED', message, { cause });
}

function errno(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause ? String(cause.code) : cause.message;
}
