import { type Backend, GodwitError } from '@godwit/ports';
import { linkRate } from './link-rate.ts';
import { native } from './native.ts';
import { nativeTransport } from './native-transport.ts';
import { nodeTransport } from './node-transport.ts';
import type { TcpTransport } from './tcp-transport.ts';
import { timeout } from './timeout.ts';

/** How connections are made. */
export interface TcpOptions {
  /** Caps the rate at which each connection sends: 1_250_000_000 is a 10 Gb/s link. Default: no cap. */
  readonly linkBytesPerSecond?: number;
  /**
   * For connecting, and for how long a transfer may stand still. Default 10,000; `Infinity` waits for ever. A call's own
   * `timeoutMs` goes first.
   */
  readonly timeoutMs?: number;
  /**
   * Allows addresses beyond this machine. TCP is not encrypted here: who can read the network reads the guest's memory,
   * and who can write to it writes there. Default false.
   */
  readonly allowInsecure?: boolean;
  /** Default: native where it is built, else TypeScript. */
  readonly backend?: Backend;
}

/**
 * A transport over TCP and Unix sockets.
 *
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` if the native backend is asked for and missing; its cause says why
 * @throws RangeError for a rate or a time that cannot be
 */
export function tcp(options: TcpOptions = {}): TcpTransport {
  const settings = {
    linkBytesPerSecond: linkRate(options.linkBytesPerSecond),
    timeoutMs: timeout(options.timeoutMs, 10_000),
    allowInsecure: options.allowInsecure ?? false,
  };
  if (options.backend === 'typescript' || (options.backend === undefined && native.binding === undefined)) {
    return nodeTransport(settings);
  }
  if (native.binding === undefined) {
    throw new GodwitError(
      'ERR_GODWIT_UNSUPPORTED',
      "@godwit/transport-tcp has no native build for this machine; use backend: 'typescript', or build it with Rust",
      { cause: native.failure },
    );
  }
  return nativeTransport(native.binding, settings);
}
