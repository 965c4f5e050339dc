import { type Capsule, GodwitError, type ScannableMemory } from '@godwit/ports';
import type { EngineMemory } from './scan-engine.ts';

/** A memory as a scan sees it. */
export interface ScannerMemory {
  /** Native memory, which stays where it is while its capsule is retained. */
  readonly capsule: Capsule<'memory'> | undefined;
  /** Whether it stays where it is whatever JavaScript does. */
  readonly staysPut: boolean;
  /**
   * The bytes as they are now: JavaScript may have moved them since the last time.
   * @throws TypeError where they are detached, which older engines tell of some memories only
   */
  bytes(): Uint8Array;
}

/** @throws TypeError for what is no memory */
export function scannerMemory(memory: ScannableMemory, takesCapsules: boolean): ScannerMemory {
  if (ArrayBuffer.isView(memory)) return overView(memory);
  if (isBuffer(memory)) return overBuffer(() => memory);
  if (typeof memory !== 'object' || memory === null) throw new TypeError('this is no memory');
  if (takesCapsules && 'capsule' in memory && memory.capsule !== undefined) {
    return { capsule: memory.capsule, staysPut: true, bytes: () => new Uint8Array(0) };
  }
  if ('bytes' in memory && ArrayBuffer.isView(memory.bytes)) return overView(memory.bytes);
  if ('capsule' in memory && memory.capsule !== undefined) {
    throw new GodwitError(
      'ERR_GODWIT_UNSUPPORTED',
      'native memory is scanned natively only, and this scanner is not native',
    );
  }
  if ('buffer' in memory && isBuffer(memory.buffer)) return overBuffer(() => memory.buffer);
  throw new TypeError('this is no memory: neither bytes, nor a buffer, nor native memory');
}

/** What an engine is given of a memory. */
export function engineMemory(memory: ScannerMemory): EngineMemory {
  return memory.capsule ?? memory.bytes();
}

function overView(view: ArrayBufferView): ScannerMemory {
  // A view of a detached buffer only seems to be empty; a view of its own throws.
  if (view.byteLength === 0) new Uint8Array(view.buffer);
  const bytes =
    view instanceof Uint8Array ? () => view : () => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return { capsule: undefined, staysPut: isShared(view.buffer), bytes };
}

/** Of a `WebAssembly.Memory` the buffer is asked for anew each time: it is another one after the memory grew. */
function overBuffer(buffer: () => ArrayBufferLike): ScannerMemory {
  return { capsule: undefined, staysPut: isShared(buffer()), bytes: () => new Uint8Array(buffer()) };
}

/** Also one of another realm. */
function isBuffer(value: unknown): value is ArrayBufferLike {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

function isShared(buffer: ArrayBufferLike): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}
