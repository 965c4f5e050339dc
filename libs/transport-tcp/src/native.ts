import { createRequire } from 'node:module';
import type { Capsule } from '@godwit/ports';

/** The native addon, as `native/js_*.rs` exports it. A timeout of 2^32 - 1 never comes; a rate of 0 is no cap. */
export interface NativeBinding {
  readonly NativeConnector: new () => NativeConnector;
  readonly NativeListener: {
    listen(target: NativeTarget, allowInsecure: boolean): Promise<NativeListener>;
  };
}

export interface NativeTarget {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
}

export interface NativeConnector {
  connect(
    target: NativeTarget,
    allowInsecure: boolean,
    timeoutMs: number,
    linkBytesPerSecond: number,
  ): Promise<NativeConnection>;
  cancel(): void;
}

export interface NativeListener {
  readonly address: string;
  accept(linkBytesPerSecond: number): Promise<NativeConnection>;
  close(): Promise<void>;
}

export interface NativeConnection {
  readonly remoteAddress: string;
  readonly capsule: Capsule<'channel'>;
  send(chunks: readonly Uint8Array[], timeoutMs: number): Promise<void>;
  receive(lengthBytes: number, timeoutMs: number): Promise<Uint8Array>;
  counters(): { readonly bytesSent: number; readonly bytesReceived: number };
  setLinkBytesPerSecond(bytesPerSecond: number): void;
  interrupt(): void;
  close(): Promise<void>;
}

function load(): { readonly binding?: NativeBinding; readonly failure?: unknown } {
  try {
    return { binding: createRequire(import.meta.url)('../native.cjs') as NativeBinding };
  } catch (failure) {
    return { failure };
  }
}

/** The addon, or why it could not be loaded. */
export const native: { readonly binding?: NativeBinding; readonly failure?: unknown } = load();
