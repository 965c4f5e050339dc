import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Guest } from '@godwit/ports';
import { encodeHeader, type FrameName, HEADER_BYTES } from '../src/frame.ts';
import { FrameCutter } from './frame-cutter.ts';

export interface Answer {
  readonly name: FrameName;
  readonly body: Buffer;
}

/** A peer that visits a destination and says what it likes. */
export class HostileSource {
  readonly #socket: Socket;
  readonly #answers: Answer[] = [];
  #sequence = 0;
  #closed = false;
  #wake: () => void = () => {};

  static async visit(address: string): Promise<HostileSource> {
    const { hostname, port } = new URL(address);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new HostileSource(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const cutter = new FrameCutter((name, bytes) => {
      this.#answers.push({ name, body: Buffer.from(bytes.subarray(HEADER_BYTES)) });
      this.#wake();
    });
    socket.on('data', (chunk) => cutter.push(chunk));
    // A reset is an end like any other here.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** A frame as it should be, with the next sequence number. */
  send(name: FrameName, body: Uint8Array = Buffer.alloc(0), raw: Uint8Array = Buffer.alloc(0)): void {
    this.bytes(this.frame(name, body, raw));
  }

  sendJson(name: FrameName, value: unknown): void {
    this.send(name, Buffer.from(JSON.stringify(value)));
  }

  frame(name: FrameName, body: Uint8Array, raw: Uint8Array = Buffer.alloc(0)): Buffer {
    const header = encodeHeader(name, this.#sequence, body, raw.length);
    this.#sequence += 1;
    return Buffer.concat([header, body, raw]);
  }

  bytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** No more is sent; answers are still read. */
  end(): void {
    this.#socket.end();
  }

  /** The next answer; undefined when the destination has hung up. */
  async answer(): Promise<Answer | undefined> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined || this.#closed) return answer;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next answer, which must be this one. */
  async expect(name: FrameName): Promise<Buffer> {
    const answer = await this.answer();
    if (answer?.name !== name)
      throw new Error(`${answer?.name ?? 'the end'} came where ${name} was due: ${answer?.body}`);
    return answer.body;
  }

  leave(): void {
    this.#socket.destroy();
  }
}

/** What an honest source would say of this guest, but for what is overridden. */
export function helloOf(guest: Guest, digest: string, overrides: Readonly<Record<string, unknown>> = {}): object {
  const { pageSizeBytes, pageCount } = guest.memory;
  return {
    protocol: 1,
    session: randomBytes(16).toString('hex'),
    epoch: 1,
    bootId: 'a boot',
    pageSizeBytes,
    pageCount,
    residentBytes: pageSizeBytes,
    stateBytesMax: guest.stateBytesMax,
    digest,
    codec: null,
    guest: guest.describe(),
    ...overrides,
  };
}

/** Unsigned integers of 32 bits, little-endian. */
export function u32(...values: number[]): Buffer {
  return Buffer.from(new Uint32Array(values).buffer);
}

/** Unsigned integers of 64 bits, little-endian. */
export function u64(...values: (number | bigint)[]): Buffer {
  return Buffer.from(new BigUint64Array(values.map((value) => BigInt(value))).buffer);
}
