import type { Backend, Transport } from '@godwit/ports';
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
  /** `driver`: whether the pump drives it from native code, or from TypeScript, to which a TypeScript one is nearer. */
  make(linkBytesPerSecond: number | undefined, driver: Backend): Transport;
}

/** The transports by the names that `--transport` knows. */
export const TRANSPORTS: Readonly<Record<string, TransportKind>> = {
  tcp: {
    capped: true,
    betweenProcesses: true,
    address: 'tcp://127.0.0.1:0',
    make: (linkBytesPerSecond, driver) =>
      tcp({
        ...(linkBytesPerSecond !== undefined && { linkBytesPerSecond }),
        ...(driver === 'typescript' && { backend: driver }),
      }),
  },
  memory: {
    capped: false,
    betweenProcesses: false,
    address: 'memory://destination',
    make: () => memoryTransport(),
  },
};
