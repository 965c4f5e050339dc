import { GodwitError, type Guest, type PageDecoder } from '@godwit/ports';
import { availableMemoryBytes } from './available-memory.ts';
import { bootId } from './boot-id.ts';
import type { DestinationOptions } from './destination-options.ts';
import { createDestinationPump, digestOffered } from './destination-pump.ts';
import { PAGE_SIZE_BYTES_MAX, PROTOCOL_VERSION } from './frame.ts';
import type { FrameLink } from './frame-link.ts';
import { type Hello, tokenFits } from './handshake.ts';
import type { Arrived, DestinationPump, EpochFate, Verification } from './pump.ts';

/** A guest that arrived and runs. */
export interface Arrival extends Arrived {
  readonly session: string;
  readonly guest: Guest;
  /** Settles once the source's digest was compared; `undefined` where none was agreed on. */
  readonly verification: Promise<Verification | undefined>;
}

/** One source's visit: admission, arrival, digest. */
export class DestinationSession {
  readonly hello: Hello;
  readonly #options: DestinationOptions;
  #pump: DestinationPump | undefined;
  #link: FrameLink;
  #relinked: ((link: FrameLink) => void) | undefined;
  #finished = false;
  readonly #reservedBytes: number;
  /** What became of the epoch, once it is decided and the pump is gone. */
  #fate: EpochFate | undefined;

  /** `reservedBytes`: memory that others who are arriving were promised. */
  constructor(hello: Hello, link: FrameLink, options: DestinationOptions, reservedBytes: number) {
    this.hello = hello;
    this.#reservedBytes = reservedBytes;
    this.#link = link;
    this.#options = options;
  }

  /** Admits the guest and waits for it. Rejects when it will never run here; whatever was made for it is gone then. */
  async receive(): Promise<Arrival> {
    const { hello } = this;
    const decoder = this.#admitCodec();
    let guest: Guest | undefined;
    try {
      this.#admitMemory();
      guest = await this.#options.createGuest(hello.guest);
      this.#admitGuest(guest);
      const parts = {
        guest,
        decoder,
        link: this.#link,
        verify: hello.digest !== 'none',
        session: hello.session,
        epoch: hello.epoch,
        journalPath: this.#options.journalPath,
        faults: this.#options.injectedFaults ?? {},
      };
      const offered = digestOffered(parts);
      if (hello.digest !== 'none' && hello.digest !== offered) {
        throw new GodwitError(
          'ERR_GODWIT_UNSUPPORTED',
          `the source digests with ${hello.digest}, this destination with ${offered}`,
        );
      }
      await this.#link.sendJson('ADMIT', { protocol: PROTOCOL_VERSION, bootId: bootId() });
      const pump = await createDestinationPump(parts);
      if (this.#fate !== undefined) throw new GodwitError('ERR_GODWIT_PROTOCOL', 'asked for before anything was sent');
      this.#pump = pump;
      const arrived = await pump.run();
      const verification = this.#finish(pump);
      void verification
        .catch(() => {})
        .finally(() => {
          this.#dropPump();
          decoder?.close();
          this.#finished = true;
          return this.#link.connection.close();
        });
      return { ...arrived, session: hello.session, guest, verification };
    } catch (error) {
      this.#dropPump();
      decoder?.close();
      await guest?.close();
      throw error;
    }
  }

  /** What became of an epoch; decides it if it was open. */
  renounce(epoch: number): EpochFate {
    if (this.#fate !== undefined) return this.#fate;
    if (this.#pump !== undefined) return this.#pump.renounce(epoch);
    // Nothing was started yet, and now nothing will be.
    this.#fate = { started: false, startedAtNs: 0 };
    return this.#fate;
  }

  /** A session is remembered for those who ask; its guest's memory and descriptors are not kept for that. */
  #dropPump(): void {
    if (this.#pump === undefined) return;
    this.#fate = this.#pump.renounce(this.hello.epoch);
    this.#pump.close();
    this.#pump = undefined;
  }

  /** The source came back over another connection after the guest had started; false if nothing is left to do. */
  relink(link: FrameLink): boolean {
    if (this.#finished || this.#relinked === undefined) return false;
    this.#relinked(link);
    return true;
  }

  interrupt(): void {
    this.#pump?.interrupt();
    this.#link.connection.interrupt();
  }

  /** Late frames and digest; if the connection breaks first, once more on the one that the source comes back with. */
  async #finish(pump: DestinationPump): Promise<Verification | undefined> {
    const relinked = new Promise<FrameLink>((resolve) => {
      this.#relinked = resolve;
    });
    try {
      return await pump.finish();
    } catch (error) {
      const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? 10_000);
      const gaveUp = new Promise<never>((_, reject) => {
        timeout.addEventListener('abort', () => reject(error));
      });
      const link = await Promise.race([relinked, gaveUp]);
      await this.#link.connection.close();
      this.#link = link;
      pump.relink(link);
      return pump.finish();
    } finally {
      this.#relinked = undefined;
    }
  }

  #admitCodec(): PageDecoder | undefined {
    const { codec: wanted, pageSizeBytes } = this.hello;
    if (wanted === null) return undefined;
    const codec = this.#options.codecs?.find(({ code, name }) => code === wanted.code && name === wanted.name);
    if (codec === undefined) {
      throw new GodwitError(
        'ERR_GODWIT_CODEC_MISMATCH',
        `this destination has no codec ${wanted.name} (${wanted.code})`,
      );
    }
    return codec.createDecoder({ pageSizeBytes });
  }

  #admitMemory(): void {
    const { residentBytes, pageSizeBytes, pageCount, guest } = this.hello;
    if (pageSizeBytes > PAGE_SIZE_BYTES_MAX) {
      throw new GodwitError(
        'ERR_GODWIT_PAGE_SIZE',
        `pages of ${pageSizeBytes} bytes; ${PAGE_SIZE_BYTES_MAX} is the most`,
      );
    }
    if (
      guest.pageSizeBytes !== pageSizeBytes ||
      guest.memoryBytes !== pageSizeBytes * pageCount ||
      residentBytes > guest.memoryBytes
    ) {
      throw new GodwitError('ERR_GODWIT_MEMORY_SIZE', 'the description of the guest contradicts its memory');
    }
    const availableBytes = (this.#options.memoryLimitBytes ?? availableMemoryBytes()) - this.#reservedBytes;
    if (residentBytes > availableBytes) {
      throw new GodwitError(
        'ERR_GODWIT_MEMORY_SHORT',
        `the guest brings ${residentBytes} bytes of memory and ${availableBytes} are available`,
      );
    }
  }

  #admitGuest({ memory, stateBytesMax }: Guest): void {
    const { hello } = this;
    if (memory.pageSizeBytes !== hello.pageSizeBytes) {
      throw new GodwitError(
        'ERR_GODWIT_PAGE_SIZE',
        `pages of ${hello.pageSizeBytes} bytes at the source and of ${memory.pageSizeBytes} here`,
      );
    }
    if (memory.pageCount !== hello.pageCount) {
      throw new GodwitError(
        'ERR_GODWIT_MEMORY_SIZE',
        `${hello.pageCount} pages at the source and ${memory.pageCount} here`,
      );
    }
    if (stateBytesMax !== hello.stateBytesMax) {
      throw new GodwitError(
        'ERR_GODWIT_STATE_INVALID',
        `execution state of up to ${hello.stateBytesMax} bytes at the source and of ${stateBytesMax} here: another processor or version`,
      );
    }
  }
}

/** @throws GodwitError `ERR_GODWIT_TOKEN` */
export function checkToken(hello: Hello, options: DestinationOptions): void {
  if (!tokenFits(options.token, hello.token)) throw new GodwitError('ERR_GODWIT_TOKEN');
}
