import type { Transport } from '@godwit/ports';
import { memoryTransport } from '@godwit/transport-memory';
import { tcp } from '@godwit/transport-tcp';

/** A transport as the bench uses it. */
export interface TransportKind {
  /** Whether it can emulate the rate of a link. */
  readonly capped: boolean;
  /** Whether its two ends may be two processes. */
  readonly betweenProcesses: boolean;
  /** Where a destination listens. */
  readonly address: string;
  make(linkBytesPerSecond: number | undefined): Transport;
}

/** The transports by the names that `--transport` knows. */
export const TRANSPORTS: Readonly<Record<string, TransportKind>> = {
  tcp: {
    capped: true,
    betweenProcesses: true,
    address: 'tcp://127.0.0.1:0',
    make: (linkBytesPerSecond) => tcp(linkBytesPerSecond === undefined ? {} : { linkBytesPerSecond }),
  },
  memory: {
    capped: false,
    betweenProcesses: false,
    address: 'memory://destination',
    make: () => memoryTransport(),
  },
};
