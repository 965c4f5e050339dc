import { type Clock, GodwitError, type Transport } from '@godwit/ports';
import type { Fence, FenceVerdict } from './fence.ts';
import { FrameLink } from './frame-link.ts';

export interface DoubtOptions {
  readonly transport: Transport;
  readonly address: string;
  readonly session: string;
  readonly epoch: number;
  readonly fence: Fence | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** How long to keep asking. */
  readonly reconnectMs: number;
}

/** How a switchover in doubt ended. */
export type Settled =
  /** The guest runs at the destination. `link` is open if it answered itself. */
  | { readonly fate: 'started'; readonly startedAtNs: number | undefined; readonly link: FrameLink | undefined }
  /** It does not, and never will: the source may go on. */
  | { readonly fate: 'renounced' };

const RETRY_MS = 50;

/**
 * COMMIT left and RUNNING did not come. Asks the destination over new connections, and the fence where it does not
 * answer, until one of them knows.
 * @throws GodwitError `ERR_GODWIT_GUEST_LOST` when it ran there and died; `ERR_GODWIT_IN_DOUBT` when nobody knew within
 *   `reconnectMs`. The source stays frozen in both.
 */
export async function settleDoubt(options: DoubtOptions): Promise<Settled> {
  const deadlineMs = options.clock.nowMs() + options.reconnectMs;
  let lastError: unknown;
  for (;;) {
    try {
      const settled = await ask(options);
      if (settled !== undefined) return settled;
    } catch (error) {
      lastError = error;
    }
    const verdict = await askFence(options).catch((error: unknown): FenceVerdict => {
      lastError = error;
      return 'unknown';
    });
    if (verdict === 'not-started') return { fate: 'renounced' };
    if (verdict === 'lost') {
      throw new GodwitError(
        'ERR_GODWIT_GUEST_LOST',
        'the destination started the guest and died, and its newest writes with it; what stays frozen here is older: ' +
          'resuming it is a rollback, and has to be asked for explicitly',
        { cause: lastError },
      );
    }
    if (verdict === 'started') return { fate: 'started', startedAtNs: undefined, link: undefined };
    if (options.clock.nowMs() >= deadlineMs) break;
    await options.clock.delay(RETRY_MS);
  }
  throw new GodwitError(
    'ERR_GODWIT_IN_DOUBT',
    `the destination did not say within ${options.reconnectMs} ms whether it runs the guest, which stays frozen here; ` +
      'make sure that it does not run there, then resume it explicitly (a rollback if it ever ran there)',
    { cause: lastError },
  );
}

async function askFence({ fence, session, epoch }: DoubtOptions): Promise<FenceVerdict> {
  return fence === undefined ? 'unknown' : fence(session, epoch);
}

async function ask(options: DoubtOptions): Promise<Settled | undefined> {
  const connection = await options.transport.connect(options.address, { timeoutMs: options.timeoutMs });
  const link = new FrameLink(connection, options.timeoutMs);
  let keep = false;
  try {
    const query = Buffer.alloc(24);
    query.write(options.session, 'hex');
    query.writeBigUInt64LE(BigInt(options.epoch), 16);
    await link.send('QUERY', query);
    const answer = await link.receive(64);
    if (answer.name === 'UNKNOWN') return undefined;
    const { name, body } = answer;
    const lengthBytes = name === 'RENOUNCED' ? 8 : name === 'STARTED' ? 16 : Number.NaN;
    // An answer about another epoch proves nothing of this one.
    if (body.length !== lengthBytes || Buffer.compare(body.subarray(0, 8), query.subarray(16)) !== 0) {
      throw new GodwitError('ERR_GODWIT_PROTOCOL', `the destination answered QUERY with ${name}, or for another epoch`);
    }
    if (name === 'RENOUNCED') return { fate: 'renounced' };
    keep = true;
    const startedAtNs = Number(Buffer.from(body).readBigUInt64LE(8));
    return { fate: 'started', startedAtNs: startedAtNs === 0 ? undefined : startedAtNs, link };
  } finally {
    if (!keep) await connection.close();
  }
}
