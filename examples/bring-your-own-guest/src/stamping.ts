import { GodwitError, type SelfCheck } from '@godwit/ports';

export const PAGE_BYTES = 4096;
/** Step n stamps page `n % pageCount` with n, so many bytes into the page. */
export const STAMP_OFFSET_BYTES = 8;
export const STATE_BYTES = 8;
const STATE_MAGIC = 0x504d_5453;

/*
 * (module
 *   (memory (export "memory") 64)
 *   (global $steps (export "steps") (mut i32) (i32.const 0))
 *   (func (export "step")
 *     (global.set $steps (i32.add (global.get $steps) (i32.const 1)))
 *     (i32.store offset=8
 *       (i32.shl (i32.and (global.get $steps) (i32.const 1023)) (i32.const 12))
 *       (global.get $steps))))
 */
const MODULE = `
  0061736d 01000000  010401600000  03020100  0503010040  0606017f0141000b
  0719 03 066d656d6f7279 0200 057374657073 0300 0473746570 0000
  0a19 01 17 00 2300 4101 6a 2400 2300 41ff07 71 410c 74 2300 360208 0b`;

declare const WebAssembly: {
  instantiate(module: Uint8Array): Promise<{ readonly instance: { readonly exports: StampingExports } }>;
};

interface StampingExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly steps: { value: number };
  readonly step: () => void;
}

/** A stranger's program: WebAssembly in 4 MiB that the engine mapped for it. It knows nothing of Godwit. */
export class StampingProgram {
  readonly memory: Uint8Array;
  readonly #exports: StampingExports;
  #timer: NodeJS.Timeout | undefined;

  static async load(): Promise<StampingProgram> {
    const { instance } = await WebAssembly.instantiate(Buffer.from(MODULE.replaceAll(/\s/g, ''), 'hex'));
    return new StampingProgram(instance.exports);
  }

  private constructor(exports: StampingExports) {
    this.#exports = exports;
    this.memory = new Uint8Array(exports.memory.buffer);
  }

  /** Its register: steps made so far. It does not lie in the memory. */
  get steps(): number {
    return this.#exports.steps.value;
  }

  set steps(steps: number) {
    this.#exports.steps.value = steps;
  }

  get running(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      for (let count = 0; count < 16; count++) this.#exports.step();
    }, 1);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Looks whether each page holds the stamp that it must hold after so many steps: one lost write shows. */
export function checkStamps(memory: Uint8Array, steps: number): SelfCheck {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  const pageCount = memory.length / PAGE_BYTES;
  let errorCount = 0;
  for (let page = 0; page < pageCount; page++) {
    const age = (((steps - page) % pageCount) + pageCount) % pageCount;
    const stamp = view.getUint32(page * PAGE_BYTES + STAMP_OFFSET_BYTES, true);
    if (stamp !== Math.max(steps - age, 0)) errorCount++;
  }
  return { ok: errorCount === 0, errorCount, checkedCount: pageCount, detail: `${steps} steps, ${pageCount} stamps` };
}

/** The register as a state of `STATE_BYTES`: a magic number and the steps. */
export function encodeSteps(steps: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(STATE_MAGIC, steps).buffer);
}

/** @throws GodwitError `ERR_GODWIT_STATE_INVALID` */
export function decodeSteps(state: Uint8Array): number {
  const [magic, steps] = state.length === STATE_BYTES ? new Uint32Array(state.slice().buffer) : [];
  if (magic === STATE_MAGIC && steps !== undefined) return steps;
  throw new GodwitError('ERR_GODWIT_STATE_INVALID', 'not the register of a stamping program');
}
