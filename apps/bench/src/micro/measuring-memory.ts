import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { type BenchAddon, translated } from './bench-native.ts';

/** Memory that everything is measured in, populated before anything is: touching it for the first time is not measured. */
export interface MeasuringMemory {
  /** All of it; a multiple of 64 MiB. */
  readonly bytes: Uint8Array;
  /** Whether the system gave it in huge pages. */
  readonly hugePages: boolean;
  /** `length` bytes from `offset` on. */
  part(offset: number, length: number): Uint8Array;
  /** Gives it back. */
  release(): void;
}

const MIB = 2 ** 20;
const WHOLE_BYTES = 2048 * MIB;
const QUICK_BYTES = 512 * MIB;

/** Maps and populates 2 GiB (512 MiB for a quick run), or less on a machine of less than 8 GiB. */
export function measuringMemory(addon: BenchAddon, quick: boolean): MeasuringMemory {
  const wantedBytes = quick ? QUICK_BYTES : WHOLE_BYTES;
  const availableBytes = Math.floor(totalmem() / 4 / (64 * MIB)) * 64 * MIB;
  const lengthBytes = Math.max(64 * MIB, Math.min(wantedBytes, availableBytes));
  return translated(() => {
    const memory = new addon.BenchMemory(lengthBytes, true);
    memory.populate();
    const bytes = memory.bytes();
    return {
      bytes,
      hugePages: hugeBytesOfProcess() >= 0.9 * lengthBytes,
      part: (offset, length) => bytes.subarray(offset, offset + length),
      release: () => memory.discard(),
    };
  });
}

function hugeBytesOfProcess(): number {
  try {
    const [, kibibytes] = /^AnonHugePages:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? [];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
