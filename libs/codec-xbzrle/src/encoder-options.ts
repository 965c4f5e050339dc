import { SLOT_OVERHEAD_BYTES, slotCountOf } from './page-cache.ts';
import { type BackOff, PAUSE_FIRST, PAUSE_MAX, POOR_PAGE_BYTES, TRIES_MAX } from './poor-pages.ts';

/** When the adaptive mode leaves a page alone, and for how long. */
export interface AdaptiveOptions {
  /** Poor deltas of a page in a row before its first pause: 1 to 8. Default: 2. */
  readonly tries?: number;
  /**
   * The longest pause, in sends of that page: 4 to 4,095. Default: 256. The first pause is 4 sends; each poor delta after a
   * pause doubles the next one.
   */
  readonly pauseSendsMax?: number;
  /** A delta of more bytes is poor, though it is sent. Default: three quarters of a page. */
  readonly payingBytesMax?: number;
}

/** What an encoder is to be like. */
export interface XbzrleEncoderOptions {
  /** A power of two from 512 bytes to 1 MiB. */
  readonly pageSizeBytes: number;
  /** All that the cache takes: its pages, 16 bytes for each, and 8 more in the adaptive mode. */
  readonly cacheBytes: number;
  /** A page whose delta is longer is sent whole. Default: a byte less than a page. Smaller means that it stops earlier. */
  readonly deltaBytesMax?: number;
  /** Leaves pages alone for a while whose deltas do not pay. Default: no. */
  readonly adaptive?: boolean | AdaptiveOptions;
}

/** The options as an encoder needs them. */
export interface EncoderPlan {
  readonly pageSizeBytes: number;
  readonly cacheBytes: number;
  readonly deltaBytesMax: number;
  readonly backOff: BackOff | undefined;
}

/**
 * Fills in what was left out.
 * @throws RangeError for numbers that are out of range
 */
export function encoderPlanOf(options: XbzrleEncoderOptions): EncoderPlan {
  const { pageSizeBytes, cacheBytes, deltaBytesMax = pageSizeBytes - 1 } = options;
  checkInteger('delta', 'bytes', deltaBytesMax, 1, pageSizeBytes - 1);
  const plan = { pageSizeBytes, cacheBytes, deltaBytesMax, backOff: backOffOf(options) };
  checkCacheBytes(plan, cacheBytes);
  return plan;
}

/** What each page of a cache takes beside itself. */
export function overheadBytesOf({ backOff }: EncoderPlan): number {
  return SLOT_OVERHEAD_BYTES + (backOff === undefined ? 0 : POOR_PAGE_BYTES);
}

/** @throws RangeError where the cache does not hold one page */
export function checkCacheBytes(plan: EncoderPlan, cacheBytes: number): void {
  const { pageSizeBytes } = plan;
  if (!Number.isSafeInteger(cacheBytes) || slotCountOf(pageSizeBytes, overheadBytesOf(plan), cacheBytes) < 1) {
    throw new RangeError(`a cache of ${cacheBytes} bytes does not hold a page of ${pageSizeBytes} bytes`);
  }
}

function backOffOf({ adaptive = false, pageSizeBytes }: XbzrleEncoderOptions): BackOff | undefined {
  if (adaptive === false) return undefined;
  const {
    tries = 2,
    pauseSendsMax = 256,
    payingBytesMax = (pageSizeBytes / 4) * 3,
  } = adaptive === true ? {} : adaptive;
  checkInteger('first pause', 'tries', tries, 1, TRIES_MAX);
  checkInteger('pause', 'sends', pauseSendsMax, PAUSE_FIRST, PAUSE_MAX);
  checkInteger('delta that pays', 'bytes', payingBytesMax, 0, pageSizeBytes);
  return { tries, pauseMax: pauseSendsMax, payingBytesMax };
}

function checkInteger(role: string, unit: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`the ${role} comes with ${min} to ${max} ${unit}, not ${value}`);
  }
}
