import { PageSet } from '@godwit/page-set';
import type { MigrationContext, MigrationEvent, Strategy } from '@godwit/ports';

/**
 * The baseline: stops the guest, sends all of its populated pages, starts it at the destination. Total time and blackout
 * are nearly the same, and no page is sent twice.
 */
export function stopAndCopy(): Strategy {
  return { name: 'stop-and-copy', run };
}

async function* run(context: MigrationContext): AsyncGenerator<MigrationEvent, void, void> {
  context.signal.throwIfAborted();
  // The guest runs until the switchover stops it and may populate pages behind the walk: these count as written.
  await context.trackWrites();
  const pending = PageSet.empty(context.memory.pageCount);
  const pageCount = await context.presentPages(pending);
  const remainingBytes = pageCount * context.memory.pageSizeBytes;
  yield { type: 'progress', round: 0, remainingBytes, bytesPerSecond: 0, estimateMs: 0 };
  yield { type: 'phase', phase: 'switchover' };
  yield { type: 'switchover', result: await context.switchover({ pending, encode: false }) };
}
