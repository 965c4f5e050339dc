import type { Server, Socket } from 'node:net';
import { GodwitError } from '@godwit/ports';
import { AcceptQueue } from './accept-queue.ts';
import { NodeTcpConnection } from './node-connection.ts';
import { formatTcpAddress } from './tcp-address.ts';
import type { TcpConnection, TcpListener, TcpSettings } from './tcp-transport.ts';

/** Accepts from a `node:net` server. */
export class NodeTcpListener implements TcpListener {
  readonly address: string;
  readonly #server: Server;
  readonly #settings: TcpSettings;
  readonly #queue: AcceptQueue<TcpConnection> = new AcceptQueue();
  #closing: Promise<void> | undefined;

  constructor(server: Server, address: string, settings: TcpSettings) {
    this.#server = server;
    this.#settings = settings;
    this.address = address;
    server.on('connection', (socket) => this.#arrived(socket));
    server.on('error', (cause) => {
      const message = `accepting on ${this.address} failed`;
      this.#queue.fail(new GodwitError('ERR_GODWIT_NATIVE_FAILED', message, { cause }));
    });
  }

  accept(options: { readonly signal?: AbortSignal } = {}): Promise<TcpConnection> {
    return this.#queue.accept(options.signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #arrived(socket: Socket): void {
    const { remoteAddress: host, remotePort: port } = socket;
    const from = host === undefined || port === undefined ? this.address : formatTcpAddress({ host, port });
    const connection = new NodeTcpConnection(socket, from, this.#settings);
    if (!this.#queue.offer(connection)) socket.destroy();
  }

  async #close(): Promise<void> {
    // The server's own callback waits for all its connections, which live on; the address is free at once.
    this.#server.close();
    const reason = new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', `the listener on ${this.address} was closed`);
    await Promise.all(this.#queue.end(reason).map((connection) => connection.close()));
  }
}
