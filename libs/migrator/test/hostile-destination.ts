import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { encodeHeader, type FrameName, HEADER_BYTES } from '../src/frame.ts';
import { FrameCutter } from './frame-cutter.ts';
import { u64 } from './hostile-source.ts';

/** What a destination can do with a frame. */
export interface Reply {
  send(name: FrameName, body?: Uint8Array, raw?: Uint8Array): void;
  bytes(bytes: Uint8Array): void;
  hangUp(): void;
}

/** Answers to frames; frames it does not name are answered as an honest destination would. */
export type Script = Partial<Record<FrameName, (reply: Reply, body: Buffer) => void>>;

const HONEST: Script = {
  HELLO: (reply) => reply.send('ADMIT', Buffer.from(JSON.stringify({ protocol: 1, bootId: 'elsewhere' }))),
  SYNC: (reply, body) => reply.send('SYNCED', body),
  STATE: (reply, body) => reply.send('READY', body.subarray(0, 8)),
  COMMIT: (reply, body) => reply.send('RUNNING', Buffer.concat([body, u64(1, 1)])),
  DIGEST_END: (reply, body) => reply.send('VERIFIED', Buffer.concat([body, u64(0)])),
  QUERY: (reply) => reply.hangUp(),
};

/** Something that listens like a destination, runs no guest, and says what its script tells it. */
export class HostileDestination {
  readonly address: string;
  /** Every frame that came, in order. */
  readonly heard: FrameName[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(script: Script): Promise<HostileDestination> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HostileDestination(server, { ...HONEST, ...script });
  }

  private constructor(server: Server, script: Script) {
    this.#server = server;
    this.address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      let sequence = 0;
      const reply: Reply = {
        send: (name, body = Buffer.alloc(0), raw = Buffer.alloc(0)) => {
          reply.bytes(Buffer.concat([encodeHeader(name, sequence, body, raw.length), body, raw]));
          sequence += 1;
        },
        bytes: (bytes) => socket.write(bytes),
        hangUp: () => socket.destroy(),
      };
      const cutter = new FrameCutter((name, bytes) => {
        this.heard.push(name);
        script[name]?.(reply, bytes.subarray(HEADER_BYTES));
      });
      socket.on('data', (chunk) => cutter.push(chunk));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
