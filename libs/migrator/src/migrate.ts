import type { MigrationEvent, MigrationReport } from '@godwit/ports';
import { EventStream } from './event-stream.ts';
import type { MigrationOptions } from './migration-options.ts';
import { runSource } from './source-session.ts';

/** A migration under way: iterate over it for its events, await `report` for its outcome. */
export interface Migration extends AsyncIterable<MigrationEvent> {
  /**
   * Resolves when the guest runs at the destination and, unless `verify` is off, its memory was compared. Rejects with the
   * reason when the guest stays here, or with `ERR_GODWIT_IN_DOUBT`.
   */
  readonly report: Promise<MigrationReport>;
}

/**
 * Moves a guest to a destination that listens with `listenForGuests`.
 *
 * @example
 * const report = await migrate({
 *   guest, tracker, scanner, strategy: preCopy(), transport: tcp(),
 *   address: 'tcp://127.0.0.1:7000', budget: { totalMs: 2000, downtimeMs: 10 },
 * }).report;
 */
export function migrate(options: MigrationOptions): Migration {
  const events = new EventStream<MigrationEvent>();
  const report = runSource(options, (event) => events.push(event)).finally(() => events.end());
  // Whoever only iterates must not be killed by an unhandled rejection; whoever awaits `report` still sees it.
  report.catch(() => {});
  return { report, [Symbol.asyncIterator]: () => events[Symbol.asyncIterator]() };
}
