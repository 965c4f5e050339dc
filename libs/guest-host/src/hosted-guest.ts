import {
  type Backend,
  type Capsule,
  GodwitError,
  type Guest,
  type GuestDescription,
  type GuestMemory,
  type SelfCheck,
} from '@godwit/ports';
import { type CompleteGuestConfig, completeGuestConfig } from './guest-config.ts';
import { describeError, type GuestCounters } from './guest-counters.ts';
import { HostedMemory } from './hosted-memory.ts';
import { type NativeGuest, translated } from './native-guest.ts';

/** A native guest: the port, and what such guests can do beyond it. */
export interface HostedGuest extends Guest {
  readonly execution: Capsule<'execution'>;
  /** What programs and card have counted; at any time until `close`. */
  counters(): GuestCounters;
  /**
   * Copies memory out, for inspection and tests; a running guest tears the copy. A migration goes through
   * `memory.capsule` instead.
   * @throws GodwitError `ERR_GODWIT_PAGE_RANGE` when the range is not inside the memory
   */
  readMemory(offsetBytes: number, into: Uint8Array): Promise<void>;
  /**
   * Copies bytes into the memory of a guest that does not run, and marks its pages as written for whoever tracks them.
   * @throws GodwitError `ERR_GODWIT_PAGE_RANGE` when the range is not inside the memory
   */
  writeMemory(offsetBytes: number, from: Uint8Array): Promise<void>;
  /** Takes the frames that reached this host after the state was saved, for `injectFrames` at the new host. */
  drainLateFrames(): Uint8Array;
  /**
   * Queues frames that another host drained, before newer ones; returns how many found no room.
   * @throws GodwitError `ERR_GODWIT_STATE_INVALID`
   */
  injectFrames(frames: Uint8Array): Promise<number>;
}

/**
 * Makes a guest of a kind, with whatever makes native guests of it.
 * @throws GodwitError as `create` does
 * @throws RangeError where the parts of the configuration do not fit together
 */
export async function makeHostedGuest(
  kind: string,
  config: CompleteGuestConfig,
  create: (config: CompleteGuestConfig) => Promise<NativeGuest>,
): Promise<HostedGuest> {
  try {
    return new NativeHostedGuest(kind, await create(config), config);
  } catch (error) {
    // What does not fit together is found out by the addon, which calls it an invalid argument.
    const invalid = error instanceof Error && 'code' in error && error.code === 'InvalidArg';
    throw invalid ? new RangeError(error.message, { cause: error }) : error;
  }
}

/**
 * Makes a guest of a configuration that may come from a hostile peer.
 * @throws GodwitError `ERR_GODWIT_REFUSED` when there can be no such guest here; else as `create` does
 */
export async function makeHostedTarget(
  kind: string,
  config: Readonly<Record<string, unknown>>,
  create: (config: CompleteGuestConfig) => Promise<NativeGuest>,
): Promise<HostedGuest> {
  try {
    return await makeHostedGuest(kind, completeGuestConfig(config), create);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new GodwitError('ERR_GODWIT_REFUSED', `no such guest here: ${error.message}`, { cause: error });
  }
}

/** The same bytes, as the addon wants them. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkedOffset(offsetBytes: number): number {
  if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0) throw new RangeError('offsetBytes must be a whole number');
  return offsetBytes;
}

class NativeHostedGuest implements HostedGuest {
  readonly kind: string;
  readonly backend: Backend = 'native';
  readonly memory: GuestMemory;
  readonly execution: Capsule<'execution'>;
  readonly stateBytesMax: number;
  readonly #config: CompleteGuestConfig;
  readonly #native: NativeGuest;
  #closing: Promise<void> | undefined;

  constructor(kind: string, native: NativeGuest, config: CompleteGuestConfig) {
    this.kind = kind;
    this.#native = native;
    this.#config = config;
    this.memory = new HostedMemory(() => this.#open(), config.memoryBytes);
    this.execution = native.executionCapsule();
    this.stateBytesMax = native.stateBytesMax;
  }

  get running(): boolean {
    return this.#closing === undefined && this.#native.running;
  }

  describe(): GuestDescription {
    return {
      kind: this.kind,
      memoryBytes: this.#config.memoryBytes,
      pageSizeBytes: this.memory.pageSizeBytes,
      workload: this.#config.workload.name,
      config: { ...this.#config },
    };
  }

  async pause(): Promise<void> {
    await translated(() => this.#open().pause());
  }

  async resume(): Promise<void> {
    await translated(() => this.#open().resume());
  }

  async saveState(): Promise<Uint8Array> {
    return translated(() => this.#open().save());
  }

  async loadState(state: Uint8Array): Promise<void> {
    await translated(() => this.#open().load(bufferOf(state)));
  }

  async announce(): Promise<void> {
    await translated(() => this.#open().announce());
  }

  async selfCheck(): Promise<SelfCheck> {
    const native = this.#open();
    const counters = native.counters();
    const failure = native.failure();
    const findings: string[] = [];
    if (failure !== null) findings.push(failure);
    if (!counters.recognised) findings.push('memory holds no guest program');
    const first = describeError(counters.firstErrorKind, counters.firstErrorPlace);
    if (counters.errorCount > 0) findings.push(`${counters.errorCount} errors, the first: ${first ?? 'unknown'}`);
    if (counters.bufferErrors > 0) findings.push(`${counters.bufferErrors} damaged buffers`);
    const { name } = this.#config.workload;
    return {
      ok: findings.length === 0,
      errorCount: counters.errorCount + counters.bufferErrors + (failure === null ? 0 : 1),
      checkedCount: counters.checkedCount,
      detail: `${name}: ${counters.checkedCount} checked${findings.map((finding) => `; ${finding}`).join('')}`,
    };
  }

  counters(): GuestCounters {
    const { firstErrorKind, firstErrorPlace, bufferErrors: _, recognised: __, ...counts } = this.#open().counters();
    return { ...counts, firstError: describeError(firstErrorKind, firstErrorPlace) };
  }

  async readMemory(offsetBytes: number, into: Uint8Array): Promise<void> {
    await translated(() => this.#open().readMemory(checkedOffset(offsetBytes), bufferOf(into)));
  }

  async writeMemory(offsetBytes: number, from: Uint8Array): Promise<void> {
    await translated(() => this.#open().writeMemory(checkedOffset(offsetBytes), bufferOf(from)));
  }

  drainLateFrames(): Uint8Array {
    return this.#open().drainLateFrames();
  }

  async injectFrames(frames: Uint8Array): Promise<number> {
    return translated(() => this.#open().injectFrames(bufferOf(frames)));
  }

  async close(): Promise<void> {
    this.#closing ??= translated(() => this.#native.close());
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(): NativeGuest {
    if (this.#closing !== undefined) throw new GodwitError('ERR_GODWIT_CLOSED', 'the guest was closed');
    return this.#native;
  }
}
