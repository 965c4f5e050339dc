import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { FrameName } from '../src/frame.ts';
import { FrameCutter } from './frame-cutter.ts';

export type Direction = 'to-destination' | 'to-source';

/** One frame that went by. */
export interface RecordedFrame {
  readonly direction: Direction;
  readonly name: FrameName;
  /** Where it began in its direction. */
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

/** What happens to the bytes of one direction from `offsetBytes` on. */
export interface Mutation {
  readonly direction: Direction;
  readonly offsetBytes: number;
  /** So many bytes vanish. */
  readonly removeBytes: number;
  /** These come in their place. */
  readonly insert: Buffer;
  /** Nothing follows: the connection breaks. */
  readonly cut: boolean;
}

/**
 * A TCP relay that damages the first connection at one place of its stream, or records its frames if it is not told to.
 * Later connections go through untouched.
 */
export class MutatingProxy {
  readonly address: string;
  readonly frames: RecordedFrame[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(destinationAddress: string, mutation?: Mutation): Promise<MutatingProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new MutatingProxy(server, new URL(destinationAddress), mutation);
  }

  private constructor(server: Server, destination: URL, mutation: Mutation | undefined) {
    this.#server = server;
    this.address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let armed = mutation;
    server.on('connection', (source) => {
      const upstream = connect(Number(destination.port), destination.hostname);
      const own = armed;
      armed = undefined;
      const both = [source, upstream];
      const cut = (): void => {
        for (const socket of both) socket.destroy();
      };
      for (const socket of both) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', cut);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          for (const other of both) if (other !== socket) other.end();
        });
      }
      const relay = (from: Socket, to: Socket, direction: Direction): void => {
        const change = own?.direction === direction ? own : undefined;
        const record = mutation === undefined ? this.#recorder(direction) : undefined;
        let passedBytes = 0;
        from.on('data', (chunk: Buffer) => {
          record?.push(chunk);
          const at = change === undefined ? -1 : change.offsetBytes - passedBytes;
          const toRemove = change === undefined ? 0 : change.offsetBytes + change.removeBytes - passedBytes;
          passedBytes += chunk.length;
          if (change === undefined || at >= chunk.length || toRemove < 0 || (toRemove === 0 && at < 0)) {
            to.write(chunk);
            return;
          }
          const before = chunk.subarray(0, Math.max(0, at));
          const insert = at >= 0 ? change.insert : Buffer.alloc(0);
          to.write(Buffer.concat([before, insert, chunk.subarray(Math.max(0, toRemove))]), () => {
            if (change.cut) cut();
          });
        });
      };
      relay(source, upstream, 'to-destination');
      relay(upstream, source, 'to-source');
    });
  }

  #recorder(direction: Direction): FrameCutter {
    let offsetBytes = 0;
    return new FrameCutter((name, bytes) => {
      this.frames.push({ direction, name, offsetBytes, bytes: Buffer.from(bytes) });
      offsetBytes += bytes.length;
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
