import { type Connection, GodwitError, isGodwitError } from '@godwit/ports';
import { checkBody, decodeHeader, encodeHeader, type FrameName, HEADER_BYTES } from './frame.ts';

export interface Frame {
  readonly name: FrameName;
  readonly body: Uint8Array;
  /** Raw pages that follow and are still to be received. */
  readonly rawBytes: number;
}

/** Frames over a connection: counts them in both directions, checks what arrives. */
export class FrameLink {
  readonly connection: Connection;
  readonly timeoutMs: number;
  framesSent = 0;
  framesReceived = 0;

  constructor(connection: Connection, timeoutMs: number) {
    this.connection = connection;
    this.timeoutMs = timeoutMs;
  }

  async send(name: FrameName, body: Uint8Array = new Uint8Array(0), raw: readonly Uint8Array[] = []): Promise<void> {
    const rawBytes = raw.reduce((sum, chunk) => sum + chunk.length, 0);
    const header = encodeHeader(name, this.framesSent, body, rawBytes);
    this.framesSent = (this.framesSent + 1) >>> 0;
    const chunks = body.length === 0 ? [header, ...raw] : [header, body, ...raw];
    await this.connection.send(chunks, { timeoutMs: this.timeoutMs });
  }

  async sendJson(name: FrameName, value: unknown): Promise<void> {
    await this.send(name, Buffer.from(JSON.stringify(value)));
  }

  /** Header and body of the next frame. `bodyBytesMax` bounds what an unknown peer may make us read. */
  async receive(bodyBytesMax: number = Number.POSITIVE_INFINITY): Promise<Frame> {
    const headerBytes = new Uint8Array(HEADER_BYTES);
    await this.receiveRaw(headerBytes);
    const header = decodeHeader(headerBytes, this.framesReceived);
    this.framesReceived = (this.framesReceived + 1) >>> 0;
    if (header.bodyBytes > bodyBytesMax) {
      throw new GodwitError(
        'ERR_GODWIT_FRAME_MALFORMED',
        `a ${header.name} frame of ${header.bodyBytes} bytes is too large here`,
      );
    }
    const body = new Uint8Array(header.bodyBytes);
    if (body.length > 0) await this.receiveRaw(body);
    checkBody(headerBytes, header, body);
    return { name: header.name, body, rawBytes: header.rawBytes };
  }

  async receiveRaw(into: Uint8Array): Promise<void> {
    await this.connection.receive(into, { timeoutMs: this.timeoutMs });
  }

  /** The next frame, which must be this one and begin with `prefix`. A FAILED frame rejects with what it says. */
  async expect(name: FrameName, prefix: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    const frame = await this.receive();
    if (frame.name === 'FAILED') throw peerFailure(frame.body);
    const fits = frame.body.length >= prefix.length && prefix.every((byte, index) => frame.body[index] === byte);
    if (frame.name !== name || !fits) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', `the peer sent ${frame.name} where ${name} was due`);
    }
    return frame.body;
  }

  /** Tells the peer why the session is over, if it still listens. */
  async sendFailure(error: unknown): Promise<void> {
    const code = isGodwitError(error) ? error.code : 'ERR_GODWIT_PEER_FAILED';
    const message = error instanceof Error ? error.message : String(error);
    const body = Buffer.from(`${code}: ${message}`).subarray(0, 1024);
    await this.send('FAILED', body).catch(() => {});
  }
}

/** What a FAILED frame says; hostile, so bounded and cleaned. */
export function peerFailure(body: Uint8Array): GodwitError {
  const text = Buffer.from(body.subarray(0, 1024))
    .toString('utf8')
    .replace(/\p{Cc}/gu, ' ');
  return new GodwitError('ERR_GODWIT_PEER_FAILED', `the peer gave up: ${text}`);
}
