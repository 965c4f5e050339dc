import { GodwitError, type GuestMemory } from '@godwit/ports';

/** The bytes that the portable pump reads and writes. @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where there are none */
export function portableMemory(memory: GuestMemory): Uint8Array {
  if (memory.bytes === undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'this guest offers its memory to native code only');
  }
  return memory.bytes;
}
