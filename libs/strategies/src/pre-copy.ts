import { PageSet } from '@godwit/page-set';
import type { MigrationContext, MigrationEvent, PageOrder, Strategy } from '@godwit/ports';
import { addressOrder } from './address-order.ts';
import { CHUNK_MS } from './chunk-size.ts';
import { DirtyPages } from './dirty-pages.ts';
import { sendRound } from './pre-copy-round.ts';
import type { RoundMeasurement } from './send-cost.ts';
import { decideAfterRound, type StopLimits } from './stop-rule.ts';

export interface PreCopyOptions {
  /** In which order re-sent pages go; default: by address. One that knows recency sends cold pages first. */
  readonly order?: PageOrder;
  /** Rounds at most, round 0 included; default 30. */
  readonly maxRounds?: number;
  /**
   * Rounds end as soon as a blackout this short is predicted. Default: 1 ms, or a quarter of the budget's downtime if that
   * is less; where the context approaches the switchover in turns of its own, which are faster than rounds and go on as
   * long as they pay, three quarters of the budget's downtime.
   */
  readonly downtimeTargetMs?: number;
  /** What a switchover costs that has nothing to send; default 0.5 ms. */
  readonly fixedBlackoutMs?: number;
  /**
   * For how long pages are sent at a time. In between, from the second round on, the pages that were dirtied again before
   * their turn are left to the next round: the shorter, the more of them are noticed, and the more an order that learns
   * can do; but each time the link runs dry for as long as a collection takes. Default 100.
   */
  readonly chunkMs?: number;
  /** No round begins later than this after the start, whatever is pending; default: never, the total budget decides. */
  readonly forceAfterMs?: number;
}

const ROUNDS_MAX = 30;
const DOWNTIME_TARGET_MS = 1;
/** Of the downtime: should the approach win nothing, the blackout still keeps the budget. */
const APPROACH_SHARE = 0.75;
const FIXED_BLACKOUT_MS = 0.5;

/**
 * Pre-copy: while the guest runs, round 0 sends every populated page whole and by address (pages that were never touched
 * are zero at the destination already and cost nothing), each later round what was written since, cold pages first and as
 * deltas where the context encodes. `decideAfterRound` says when the guest is stopped for the rest.
 *
 * Rounds of more than 64 MiB are sent in chunks; between two of them the pages that were dirtied again before their turn
 * are left to the next round, because sending them now would be in vain.
 *
 * @throws RangeError for an option that is not a number in its range
 */
export function preCopy(options: PreCopyOptions = {}): Strategy {
  const roundsMax = options.maxRounds ?? ROUNDS_MAX;
  if (!Number.isInteger(roundsMax) || roundsMax < 1) {
    throw new RangeError(`maxRounds is an integer of at least 1, not ${roundsMax}`);
  }
  for (const name of ['downtimeTargetMs', 'fixedBlackoutMs', 'forceAfterMs', 'chunkMs'] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 0)) throw new RangeError(`${name} is a number of at least 0, not ${value}`);
  }
  return { name: 'pre-copy', run: (context) => run(context, { ...options, maxRounds: roundsMax }) };
}

async function* run(
  context: MigrationContext,
  options: PreCopyOptions & { readonly maxRounds: number },
): AsyncGenerator<MigrationEvent, void, void> {
  const { budget, clock, memory } = context;
  const startMs = clock.nowMs();
  const order = options.order ?? addressOrder();
  const limits: StopLimits = {
    budget,
    downtimeTargetMs: options.downtimeTargetMs ?? defaultTargetMs(context),
    fixedBlackoutMs: options.fixedBlackoutMs ?? FIXED_BLACKOUT_MS,
    roundsMax: options.maxRounds,
    forceAfterMs: options.forceAfterMs ?? Number.POSITIVE_INFINITY,
  };
  const chunkMs = options.chunkMs ?? CHUNK_MS;
  const link = { pageSizeBytes: memory.pageSizeBytes, linkBytesPerSecond: context.linkBytesPerSecond };

  context.signal.throwIfAborted();
  yield { type: 'phase', phase: 'pre-copy' };
  // Before the walk: a page that is populated behind the walk counts as written, one before it is found by it.
  await context.trackWrites();
  const present = PageSet.empty(memory.pageCount);
  await context.presentPages(present);

  const dirty = new DirtyPages(context, order);
  const rounds: RoundMeasurement[] = [];
  let runs = present.toRuns();
  let pageBytesPerSecond: number | undefined;
  for (;;) {
    const round = rounds.length;
    const encode = round > 0 && context.encoding;
    const plan = { round, runs, encode, skipDirtied: round > 0, pageBytesPerSecond, chunkMs };
    const outcome = yield* sendRound(context, plan, dirty);
    rounds.push(outcome.measurement);
    pageBytesPerSecond = outcome.pageBytesPerSecond;
    if (decideAfterRound(rounds, clock.nowMs() - startMs, link, limits).switchover !== undefined) break;
    runs = order.arrange(dirty.take());
  }

  context.signal.throwIfAborted();
  yield { type: 'phase', phase: 'switchover' };
  yield {
    type: 'switchover',
    result: await context.switchover({ pending: dirty.known, encode: context.encoding, approach: true }),
  };
}

function defaultTargetMs({ approaches, budget }: MigrationContext): number {
  return approaches ? budget.downtimeMs * APPROACH_SHARE : Math.min(DOWNTIME_TARGET_MS, budget.downtimeMs / 4);
}
