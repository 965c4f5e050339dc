/**
 * The in-memory twin of the migration transports: connections between two ends in one process, by name, with bounded
 * queues and the errors of a real network. Tests use it where a network would only be in the way, and cut it on purpose.
 *
 * @example
 * import { memoryTransport } from '@godwit/transport-memory';
 * const transport = memoryTransport();
 * const listener = await transport.listen('memory://destination');
 * const [near, far] = await Promise.all([transport.connect(listener.address), listener.accept()]);
 *
 * @packageDocumentation
 */
export { type MemoryTransportOptions, memoryTransport } from './memory-transport.ts';
