/**
 * A migration transport over TCP and Unix sockets: native code sends vectors straight from guest memory and keeps to the
 * rate of a link, and a backend over `node:net` takes over where there is no native build. The transport's connections
 * carry a channel capsule for the native pump.
 *
 * @example
 * import { tcp } from '@godwit/transport-tcp';
 * const listener = await tcp().listen('tcp://127.0.0.1:0');
 * const connection = await tcp({ linkBytesPerSecond: 1_250_000_000 }).connect(listener.address);
 *
 * @packageDocumentation
 */
export { type TcpOptions, tcp } from './tcp.ts';
export type { TcpConnection, TcpListener, TcpTransport } from './tcp-transport.ts';
