import type { Budget } from '@godwit/ports';
import { type LinkFacts, measureSendCost, type RoundMeasurement } from './send-cost.ts';

/** What bounds the rounds. */
export interface StopLimits {
  readonly budget: Budget;
  /** A predicted blackout this short ends the rounds at once. */
  readonly downtimeTargetMs: number;
  /** What a switchover costs that has nothing to send: stop, collect, state, start. */
  readonly fixedBlackoutMs: number;
  /** Rounds, round 0 included. */
  readonly roundsMax: number;
  /** Since the strategy's start; afterwards no round begins. */
  readonly forceAfterMs: number;
}

/**
 * Why the rounds end: the prediction reached the target; rounds no longer shorten it and it is within the budget; rounds
 * no longer shorten it and the total is lost anyway; one more round would break the total; too many rounds; too late.
 */
export type StopReason = 'target' | 'settled' | 'total-missed' | 'total-used' | 'rounds-max' | 'forced';

/** Go on with another round, or switch over and why. */
export interface StopDecision {
  /** Undefined: another round. */
  readonly switchover: StopReason | undefined;
  readonly predictedBlackoutMs: number;
  /** How long the next round would take. */
  readonly predictedRoundMs: number;
}

/** A round that leaves more than this share of what was predicted before it did not shrink it. */
const SHRINKING_SHARE = 0.75;
/** Rounds in a row that do not shrink the prediction: one may be chance. */
const FLAT_ROUNDS = 2;
/** Turns of the event loop and a collect: what a round costs beside its pages. */
const ROUND_TURN_MS = 1;
/** The part of the total budget that rounds may use; the rest is for what no prediction saw. */
const USABLE_SHARE_OF_TOTAL = 0.95;

/**
 * The stop rule of pre-copy, a pure function of the rounds so far.
 *
 * Predicted blackout = fixed cost + pending bytes / bandwidth, both as measured: pending bytes are the pending pages times
 * the wire bytes a page took in the newest re-sending rounds (what XBZRLE makes of it), the bandwidth is that of the same
 * rounds, encoding and installing included. The dirty rate needs no term of its own: it shows in what a round leaves
 * behind. In this order:
 *
 * 1. nothing is pending, or the prediction is within the target (never below what an almost empty switchover costs):
 *    switch over;
 * 2. `forceAfterMs` or `roundsMax` is reached: switch over;
 * 3. two rounds in a row left more than three quarters of what was predicted before them, and the prediction is within the
 *    budget's downtime: switch over, more rounds win nothing. Where pages are re-sent as deltas the first such round does
 *    not count, because it sends whole pages to begin with;
 * 4. another round and the blackout do not fit into the total budget any more, but the blackout does: switch over, whether
 *    it keeps the downtime or not; if not even the blackout fits, the total is lost: go on only while rounds still shrink;
 * 5. otherwise: another round. So a guest that never converges uses up its total budget.
 *
 * The bound of rounds and the comparison with a downtime limit are those of every pre-copy since Clark et al., "Live
 * Migration of Virtual Machines", NSDI 2005, section 3; ours goes on below the limit as long as that pays.
 */
export function decideAfterRound(
  rounds: readonly RoundMeasurement[],
  elapsedMs: number,
  link: LinkFacts,
  limits: StopLimits,
): StopDecision {
  const { budget, fixedBlackoutMs } = limits;
  const pendingPages = rounds.at(-1)?.dirtyPages ?? 0;
  const sendMs = predictedSendMs(rounds, link);
  const predictedBlackoutMs = fixedBlackoutMs + sendMs;
  const predictedRoundMs = ROUND_TURN_MS + sendMs;
  const decision = (switchover: StopReason | undefined): StopDecision => ({
    switchover,
    predictedBlackoutMs,
    predictedRoundMs,
  });

  const targetMs = Math.max(limits.downtimeTargetMs, fixedBlackoutMs * 1.1);
  if (pendingPages === 0 || predictedBlackoutMs <= targetMs) return decision('target');
  if (elapsedMs >= limits.forceAfterMs) return decision('forced');
  if (rounds.length >= limits.roundsMax) return decision('rounds-max');

  const flat = flatRounds(rounds, link);
  if (flat >= FLAT_ROUNDS && predictedBlackoutMs <= budget.downtimeMs) return decision('settled');
  const usableMs = budget.totalMs * USABLE_SHARE_OF_TOTAL;
  if (elapsedMs + predictedRoundMs + predictedBlackoutMs > usableMs) {
    if (elapsedMs + predictedBlackoutMs <= budget.totalMs) return decision('total-used');
    if (flat > 0) return decision('total-missed');
  }
  return decision(undefined);
}

/** How long the pages that are pending after the last of `rounds` would take. */
function predictedSendMs(rounds: readonly RoundMeasurement[], link: LinkFacts): number {
  return (rounds.at(-1)?.dirtyPages ?? 0) * measureSendCost(rounds, link).msPerPage;
}

/** How many of the newest rounds, in a row, did not shrink the prediction; at most `FLAT_ROUNDS`. */
function flatRounds(rounds: readonly RoundMeasurement[], link: LinkFacts): number {
  let flat = 0;
  // Round 1 is the first that re-sends; its pages go whole where deltas have nothing to stand on yet.
  while (flat < FLAT_ROUNDS && rounds.length - flat > 2) {
    const after = predictedSendMs(rounds.slice(0, rounds.length - flat), link);
    const before = predictedSendMs(rounds.slice(0, rounds.length - flat - 1), link);
    if (after <= before * SHRINKING_SHARE) break;
    flat++;
  }
  return flat;
}
