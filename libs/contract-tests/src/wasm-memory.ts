/** Memory of a WebAssembly module, which grows in pages of 64 KiB. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pageCount: number): number;
}

interface WasmMemoryLimits {
  readonly initial: number;
  readonly maximum: number;
  readonly shared?: boolean;
}

/** Makes one. The types of Node.js know the namespace, but none of its values. */
export function wasmMemory(limits: WasmMemoryLimits): WasmMemory {
  const { WebAssembly: wasm } = globalThis as unknown as {
    WebAssembly: { Memory: new (limits: WasmMemoryLimits) => WasmMemory };
  };
  return new wasm.Memory(limits);
}
