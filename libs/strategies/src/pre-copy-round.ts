import type { MigrationContext, MigrationEvent, PageRuns } from '@godwit/ports';
import { chunkPageCount } from './chunk-size.ts';
import type { DirtyPages } from './dirty-pages.ts';
import { RunCursor } from './run-cursor.ts';
import type { RoundMeasurement } from './send-cost.ts';

/** One round: what to send, and how. */
export interface RoundPlan {
  readonly round: number;
  readonly runs: PageRuns;
  readonly encode: boolean;
  /** Between chunks ask what was dirtied again, and leave that to the next round. */
  readonly skipDirtied: boolean;
  /** Page bytes a second as measured last, if they were. */
  readonly pageBytesPerSecond: number | undefined;
  /** How long a chunk shall take. */
  readonly chunkMs: number;
}

/** What a round was, and at what pace. */
export interface RoundOutcome {
  readonly measurement: RoundMeasurement;
  readonly pageBytesPerSecond: number | undefined;
}

/**
 * Sends one round in chunks, tells the progress between them, collects at the end and yields the round's report.
 * Page bytes: bytes of memory, before encoding.
 */
export async function* sendRound(
  context: MigrationContext,
  plan: RoundPlan,
  dirty: DirtyPages,
): AsyncGenerator<MigrationEvent, RoundOutcome, void> {
  const { pageSizeBytes } = context.memory;
  const startMs = context.clock.nowMs();
  const cursor = new RunCursor(plan.runs);
  const skip = plan.skipDirtied ? dirty.known : undefined;
  let pageBytesPerSecond = plan.pageBytesPerSecond;
  let [pages, rawPages, bytes, sendMs] = [0, 0, 0, 0];
  while (cursor.remainingPages > 0) {
    context.signal.throwIfAborted();
    const chunk = cursor.take(chunkPageCount(plan.round, pageBytesPerSecond, pageSizeBytes, plan.chunkMs), skip);
    if (chunk.length === 0) break;
    const sent = await context.send(chunk, { encode: plan.encode });
    pages += pagesOf(chunk);
    rawPages += sent.rawPages;
    bytes += sent.wireBytes;
    sendMs += sent.elapsedMs;
    if (sendMs > 0) pageBytesPerSecond = (pages * pageSizeBytes * 1000) / sendMs;
    if (cursor.remainingPages === 0) break;
    if (plan.skipDirtied) await dirty.collect();
    const remainingBytes = cursor.remainingPages * pageSizeBytes;
    yield {
      type: 'progress',
      round: plan.round,
      remainingBytes,
      bytesPerSecond: sendMs > 0 ? (bytes * 1000) / sendMs : 0,
      estimateMs: (sendMs / pages) * cursor.remainingPages,
    };
  }
  await dirty.collect();
  const dirtyPages = dirty.known.count();
  const ms = context.clock.nowMs() - startMs;
  yield { type: 'round', round: { round: plan.round, pages, bytes, ms, dirtyPages } };
  yield {
    type: 'progress',
    round: plan.round,
    remainingBytes: dirtyPages * pageSizeBytes,
    bytesPerSecond: sendMs > 0 ? (bytes * 1000) / sendMs : 0,
    estimateMs: pages > 0 ? (sendMs / pages) * dirtyPages : 0,
  };
  return { measurement: { pages, rawPages, bytes, sendMs, dirtyPages }, pageBytesPerSecond };
}

function pagesOf(runs: PageRuns): number {
  let pages = 0;
  for (let index = 1; index < runs.length; index += 2) pages += runs[index] ?? 0;
  return pages;
}
