import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, GodwitError, isGodwitError, type Listener } from '@godwit/ports';
import { ArrivalQueue } from './arrival-queue.ts';
import type { DestinationOptions } from './destination-options.ts';
import { type Arrival, checkToken, DestinationSession } from './destination-session.ts';
import { type Frame, FrameLink } from './frame-link.ts';
import { HANDSHAKE_BYTES_MAX, parseHello } from './handshake.ts';

/** Sessions that are remembered for sources that come back. */
const SESSIONS_REMEMBERED = 64;
/** Guests that may be arriving at once; further ones are refused. */
const ARRIVING_MAX = 16;
/** Visitors that have not said anything yet; beyond that the one that has been silent longest is sent away. */
const SILENT_MAX = 64;
const ACCEPT_FAILURES_MAX = 10;
const ACCEPT_RETRY_MS = 100;

/** Listens for guests. */
export interface Destination {
  /** Where sources connect to. */
  readonly address: string;
  /** The first arrival that was not taken yet. Rejects when the destination is closed. */
  nextArrival(): Promise<Arrival>;
  /** Listens no more and ends visits in progress. Guests that arrived run on. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Waits for guests of sources that call `migrate`. What an unknown peer sends can at worst end its own visit.
 * @throws GodwitError `ERR_GODWIT_LISTEN_FAILED`
 */
export async function listenForGuests(options: DestinationOptions): Promise<Destination> {
  const listener = await options.transport.listen(options.address);
  return new ListeningDestination(listener, options);
}

class ListeningDestination implements Destination {
  readonly address: string;
  readonly #listener: Listener;
  readonly #options: DestinationOptions;
  readonly #sessions = new Map<string, DestinationSession>();
  readonly #arriving = new Set<DestinationSession>();
  readonly #silent = new Set<Connection>();
  readonly #visits = new Set<Promise<void>>();
  readonly #connections = new Set<Connection>();
  readonly #arrivals = new ArrivalQueue<Arrival>();
  readonly #serving: Promise<void>;
  #closed = false;

  constructor(listener: Listener, options: DestinationOptions) {
    this.#listener = listener;
    this.#options = options;
    this.address = listener.address;
    this.#serving = this.#serve();
  }

  nextArrival(): Promise<Arrival> {
    return this.#arrivals.take();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#listener.close();
    for (const session of this.#sessions.values()) session.interrupt();
    for (const connection of this.#connections) connection.interrupt();
    await Promise.allSettled([this.#serving, ...this.#visits]);
    this.#arrivals.end(new GodwitError('ERR_GODWIT_CLOSED', 'the destination was closed'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(): Promise<void> {
    for (let failures = 0; !this.#closed; ) {
      try {
        this.#welcome(await this.#listener.accept());
        failures = 0;
      } catch (error) {
        if (this.#closed) return;
        this.#fail(error);
        failures += 1;
        // The network of a visitor, or a lack of descriptors, passes; a listener that is broken for good does not.
        if (failures === ACCEPT_FAILURES_MAX) {
          this.#arrivals.end(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  #welcome(connection: Connection): void {
    this.#connections.add(connection);
    this.#silent.add(connection);
    if (this.#silent.size > SILENT_MAX) {
      // Whoever has something to say, a source in doubt above all, is not to wait for those who say nothing.
      const [oldest] = this.#silent;
      oldest?.interrupt();
      if (oldest !== undefined) this.#silent.delete(oldest);
    }
    const visit = this.#visit(connection).finally(() => {
      this.#visits.delete(visit);
      this.#connections.delete(connection);
      this.#silent.delete(connection);
    });
    this.#visits.add(visit);
  }

  /** One connection, from its first frame to its end; never rejects. */
  async #visit(connection: Connection): Promise<void> {
    const link = new FrameLink(connection, this.#options.timeoutMs ?? 10_000);
    let kept = false;
    try {
      const first = await firstFrame(link);
      this.#silent.delete(connection);
      if (first.name === 'QUERY') {
        kept = await this.#answerQuery(link, first.body);
      } else if (first.name === 'HELLO') {
        const hello = parseHello(first.body);
        checkToken(hello, this.#options);
        if (this.#sessions.has(hello.session))
          throw new GodwitError('ERR_GODWIT_PROTOCOL', 'this session was here before');
        if (this.#arriving.size >= ARRIVING_MAX) {
          throw new GodwitError('ERR_GODWIT_REFUSED', `${ARRIVING_MAX} guests are arriving already`);
        }
        const session = new DestinationSession(hello, link, this.#options, this.#reservedBytes());
        this.#arriving.add(session);
        this.#remember(hello.session, session);
        try {
          this.#arrivals.push(await session.receive());
        } catch (error) {
          // It was refused: its source never heard ADMIT and will not ask. Others that may ask are not to be forgotten for it.
          if (link.framesSent === 0) this.#sessions.delete(hello.session);
          throw error;
        } finally {
          this.#arriving.delete(session);
        }
        kept = true;
      } else {
        throw new GodwitError('ERR_GODWIT_PROTOCOL', `a visit that begins with ${first.name}`);
      }
    } catch (error) {
      this.#fail(error);
      if (link.framesSent === 0) await this.#refuse(link, error);
    } finally {
      if (!kept) await connection.close();
    }
  }

  async #answerQuery(link: FrameLink, body: Uint8Array): Promise<boolean> {
    if (body.length !== 24) throw new GodwitError('ERR_GODWIT_FRAME_MALFORMED', 'a QUERY frame of a wrong length');
    const bytes = Buffer.from(body);
    const epoch = bytes.readBigUInt64LE(16);
    const session = this.#sessions.get(bytes.toString('hex', 0, 16));
    const answer = Buffer.alloc(16);
    answer.writeBigUInt64LE(epoch);
    if (session === undefined || epoch !== BigInt(session.hello.epoch)) {
      await link.send('UNKNOWN', answer.subarray(0, 8));
      return false;
    }
    const fate = session.renounce(Number(epoch));
    if (!fate.started) {
      session.interrupt();
      await link.send('RENOUNCED', answer.subarray(0, 8));
      return false;
    }
    answer.writeBigUInt64LE(BigInt(Math.round(fate.startedAtNs)), 8);
    await link.send('STARTED', answer);
    return session.relink(link);
  }

  /** What guests that are arriving were promised. */
  #reservedBytes(): number {
    let bytes = 0;
    for (const { hello } of this.#arriving) bytes += hello.residentBytes;
    return bytes;
  }

  #remember(name: string, session: DestinationSession): void {
    this.#sessions.set(name, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= SESSIONS_REMEMBERED) break;
      this.#sessions.delete(oldest);
    }
  }

  async #refuse(link: FrameLink, error: unknown): Promise<void> {
    const code = isGodwitError(error) ? error.code : 'ERR_GODWIT_REFUSED';
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 1024);
    await link.sendJson('REFUSE', { code, message }).catch(() => {});
  }

  #fail(error: unknown): void {
    this.#options.onFailure?.(error instanceof Error ? error : new Error(String(error)));
  }
}

/**
 * The first frame of a visitor. One that says nothing is told so after `timeoutMs`; one that says it byte by byte, and
 * could hold its visit for hours, is cut off after twice that.
 */
async function firstFrame(link: FrameLink): Promise<Frame> {
  const deadlineMs = link.timeoutMs * 2;
  const deadline = setTimeout(() => link.connection.interrupt(), deadlineMs);
  try {
    return await link.receive(HANDSHAKE_BYTES_MAX);
  } catch (error) {
    if (!isGodwitError(error, 'ERR_GODWIT_INTERRUPTED')) throw error;
    throw new GodwitError('ERR_GODWIT_PEER_TIMEOUT', `the visitor did not say within ${deadlineMs} ms what it wants`);
  } finally {
    clearTimeout(deadline);
  }
}
