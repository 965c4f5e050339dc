import { createRequire } from 'node:module';
import { type Capsule, fromNativeError, GodwitError } from '@godwit/ports';

/** Memory to measure in; see `native/lib.rs`. */
export interface BenchMemory {
  createCapsule(): Capsule<'memory'>;
  /** All of it, up to 4 GiB; to be asked for once. */
  bytes(): Uint8Array;
  populate(): void;
  discard(): void;
  residentBytes(): number;
}

/** What the bench's own addon offers. */
export interface BenchAddon {
  readonly BenchMemory: new (lengthBytes: number, hugePages: boolean) => BenchMemory;
  readLoops(): string[];
  copyLoops(): string[];
  /** Whether any byte is not zero. */
  read(memory: Uint8Array, readLoop: string, passes: number, threads: number): boolean;
  copy(from: Uint8Array, to: Uint8Array, copyLoop: string, passes: number, threads: number): void;
  pinThread(processor?: number): void;
  touchPages(memory: Capsule<'memory'>, pages: Uint32Array): void;
  presentPages(memory: Capsule<'memory'>): number;
  fetchWrittenPages(memory: Capsule<'memory'>): number;
}

/**
 * Loads the addon. From `src` as from `dist` its loader lies in the package's folder.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where it is not built: without it there are no limits to compare with
 */
export function loadBenchAddon(): BenchAddon {
  for (const path of ['../../native.cjs', '../native.cjs']) {
    try {
      return createRequire(import.meta.url)(path) as BenchAddon;
    } catch (error) {
      if (!isMissing(error, path)) throw withoutAddon(error);
    }
  }
  throw withoutAddon(undefined);
}

/** Does something natively whose failure carries a code. */
export function translated<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw fromNativeError(error);
  }
}

function isMissing(error: unknown, path: string): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND' && error.message.includes(path);
}

function withoutAddon(cause: unknown): GodwitError {
  return new GodwitError('ERR_GODWIT_UNSUPPORTED', 'the native build of @godwit/bench is missing here', { cause });
}
