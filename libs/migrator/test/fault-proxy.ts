import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { FrameName } from '../src/frame.ts';
import { FrameCutter } from './frame-cutter.ts';

/** What a proxy does when a frame comes by. */
export interface Fault {
  /** The frame that sets it off: its name, and which of them (from 1). */
  readonly on: FrameName;
  readonly nth?: number;
  /** Whether the frame itself still gets through. */
  readonly deliver: boolean;
  /** Happens then; for killing processes. */
  readonly act?: () => void;
  /** Cut the connection in both directions. Later connections go through untouched. */
  readonly cut: boolean;
}

/** A TCP relay between source and destination that understands frames well enough to break things at an exact moment. */
export class FaultProxy {
  readonly address: string;
  /** Resolves when the fault has happened. */
  readonly happened: Promise<void>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(destinationAddress: string, fault: Fault): Promise<FaultProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server, new URL(destinationAddress), fault);
  }

  private constructor(server: Server, destination: URL, fault: Fault) {
    this.#server = server;
    this.address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let report: () => void = () => {};
    this.happened = new Promise((resolve) => {
      report = resolve;
    });
    let armed: Fault | undefined = fault;
    let seen = 0;
    server.on('connection', (source) => {
      const upstream = connect(Number(destination.port), destination.hostname);
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
          // What was received before a half closed may still be on its way to the other.
          for (const other of both) if (other !== socket) other.end();
        });
      }
      const relay = (from: Socket, to: Socket): void => {
        const frames = new FrameCutter((name, bytes) => {
          if (armed === undefined || name !== armed.on || ++seen < (armed.nth ?? 1)) {
            to.write(bytes);
            return;
          }
          const { deliver, act, cut: cuts } = armed;
          armed = undefined;
          const finish = (): void => {
            act?.();
            if (cuts) cut();
            report();
          };
          if (deliver) to.write(bytes, finish);
          else finish();
        });
        from.on('data', (chunk) => frames.push(chunk));
      };
      relay(source, upstream);
      relay(upstream, source);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
