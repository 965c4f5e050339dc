import { GodwitError, type Transport } from '@godwit/ports';
import { MemoryConnection } from './memory-connection.ts';
import { MemoryListener } from './memory-listener.ts';

/** How connections behave, on the side that uses this transport. */
export interface MemoryTransportOptions {
  /** How many bytes wait in one direction before a sender has to. Default 262,144. */
  readonly queueBytes?: number;
  /** For how long a transfer may stand still. Default 10,000; `Infinity` waits for ever. */
  readonly timeoutMs?: number;
  /**
   * Each connection breaks when this side has sent so many bytes: those arrive, what is behind them is lost, and both ends
   * get `ERR_GODWIT_CONNECTION_CLOSED`. Default: never.
   */
  readonly cutAfterBytes?: number;
}

/** All transports of the process share the names, as processes of a machine share its ports. */
const listeners = new Map<string, MemoryListener>();
let freeNames = 0;

/**
 * A transport inside this process. Addresses: `memory://name`, and to listen also `memory://*` for a free name.
 *
 * @throws RangeError for a size or a time that cannot be
 */
export function memoryTransport(options: MemoryTransportOptions = {}): Transport {
  const { queueBytes = 262_144, timeoutMs = 10_000, cutAfterBytes = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(queueBytes) || queueBytes < 1) throw new RangeError(`a queue of ${queueBytes} bytes`);
  if (!(timeoutMs >= 0)) throw new RangeError(`a timeout of ${timeoutMs} ms`);
  if (!(cutAfterBytes >= 0)) throw new RangeError(`a cut after ${cutAfterBytes} bytes`);
  const settings = { timeoutMs, cutAfterBytes };
  return {
    name: 'memory',
    backend: 'typescript',
    async connect(address, { signal } = {}) {
      read(address);
      signal?.throwIfAborted();
      const listener = listeners.get(address);
      if (listener === undefined) {
        const message = `cannot connect to ${address}: nobody listens there; start the destination first`;
        throw new GodwitError('ERR_GODWIT_CONNECT_FAILED', message);
      }
      const [near, far] = MemoryConnection.pair(address, queueBytes, settings, listener.settings);
      listener.arrive(far);
      return near;
    },
    async listen(address) {
      const resolved = read(address) === '*' ? freeAddress() : address;
      if (listeners.has(resolved)) {
        const message = `cannot listen on ${resolved}: it is in use; close that listener, or use memory://* for a free name`;
        throw new GodwitError('ERR_GODWIT_LISTEN_FAILED', message);
      }
      const listener = new MemoryListener(resolved, settings, () => listeners.delete(resolved));
      listeners.set(resolved, listener);
      return listener;
    },
  };
}

function read(address: string): string {
  const [, name] = /^memory:\/\/([^\s/]+)$/.exec(address) ?? [];
  if (name === undefined) throw new TypeError(`"${address}" is not an address of this transport: memory://name`);
  return name;
}

function freeAddress(): string {
  for (;;) {
    freeNames += 1;
    const address = `memory://free-${freeNames}`;
    if (!listeners.has(address)) return address;
  }
}
