import type { MigrationContext, MigrationEvent, Strategy } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { emptyBitmap, pagesOf } from '../src/plain-bitmap.ts';
import { SimulatedContext } from '../src/simulated-context.ts';
import { strategyCases, strategySuite } from '../src/strategy-suite.ts';

type Flaw =
  | 'none'
  | 'drops a page'
  | 'sends before it tracks'
  | 'forgets what it collected last'
  | 'sends a page outside the memory'
  | 'sends pages twice'
  | 'never ends'
  | 'swallows the cancellation'
  | 'swallows errors'
  | 'wraps errors'
  | 'counts rounds backwards'
  | 'remembers the migration before'
  | 'goes on after the switchover'
  | 'switches over twice'
  | 'sends behind its own back';

/** A plain pre-copy of at most six rounds. */
class Twin implements Strategy {
  readonly name = 'twin';
  readonly #flaw: Flaw;
  #runs = 0;

  constructor(flaw: Flaw) {
    this.#flaw = flaw;
  }

  async *run(context: MigrationContext): AsyncGenerator<MigrationEvent, void, void> {
    try {
      yield* this.#copy(context);
    } catch (error) {
      if (this.#flaw === 'swallows errors') return;
      if (this.#flaw === 'swallows the cancellation' && context.signal.aborted) return;
      throw this.#flaw === 'wraps errors' ? new Error('failed', { cause: error }) : error;
    }
  }

  async *#copy(context: MigrationContext): AsyncGenerator<MigrationEvent, void, void> {
    const is = (flaw: Flaw): boolean => this.#flaw === flaw;
    const { pageCount } = context.memory;
    yield { type: 'phase', phase: 'pre-copy' };
    let pending = emptyBitmap(pageCount);
    if (!is('sends before it tracks')) await context.trackWrites();
    await context.presentPages(pending);
    if (is('remembers the migration before') && this.#runs++ > 0) pending.words.fill(0);
    for (let round = 0; round < 6 || is('never ends'); round++) {
      let pages = pagesOf(pending);
      if (pages.length === 0) break;
      if (is('drops a page')) pages = pages.filter((page) => page !== 40);
      if (is('sends a page outside the memory')) pages.push(pageCount);
      if (is('sends pages twice')) pages.push(pages[0] ?? 0);
      const runs = Uint32Array.from(pages.flatMap((page) => [page, 1]));
      if (is('sends behind its own back')) void context.send(runs, { encode: false }).catch(() => {});
      const sent = await context.send(runs, { encode: round > 0 });
      if (round === 0 && is('sends before it tracks')) await context.trackWrites();
      const next = emptyBitmap(pageCount);
      const dirtyPages = await context.collectDirty(next);
      yield {
        type: 'round',
        round: {
          round: is('counts rounds backwards') ? 9 - round : round,
          pages: pages.length,
          bytes: sent.wireBytes,
          ms: sent.elapsedMs,
          dirtyPages,
        },
      };
      pending = next;
    }
    if (is('forgets what it collected last')) pending = emptyBitmap(pageCount);
    yield { type: 'phase', phase: 'switchover' };
    const result = await context.switchover({ pending, encode: true });
    if (is('switches over twice')) await context.switchover({ pending, encode: true });
    if (is('goes on after the switchover')) await context.collectDirty(pending);
    yield { type: 'switchover', result };
  }
}

strategySuite('sound twin', () => new Twin('none'));

describe('the strategy suite', () => {
  const caught: readonly [Flaw, string][] = [
    ['drops a page', 'moves an idle guest'],
    ['sends before it tracks', 'moves a guest that writes a little'],
    ['forgets what it collected last', 'moves a guest that writes faster than the link'],
    ['sends a page outside the memory', 'moves a memory whose last word is not full'],
    ['sends pages twice', 'moves an idle guest'],
    ['never ends', 'moves a guest that writes faster than the link'],
    ['swallows the cancellation', 'stops when it is cancelled, with the reason'],
    ['swallows errors', 'passes on what goes wrong, and does no more'],
    ['wraps errors', 'passes on what goes wrong, and does no more'],
    ['counts rounds backwards', 'moves a guest that writes a little'],
    ['remembers the migration before', 'moves one guest after the other with the same value'],
    ['goes on after the switchover', 'moves an idle guest'],
    ['switches over twice', 'moves an idle guest'],
    ['sends behind its own back', 'moves an idle guest'],
  ];
  it.each(caught)('catches a strategy that %s', async (flaw, name) => {
    expect(await failingCases(strategyCases, () => ({ strategy: new Twin(flaw) }))).toContain(name);
  });
});

describe('the simulated context', () => {
  it('lets virtual time pass in order, and only while everybody waits', async () => {
    const { clock } = new SimulatedContext();
    const seen: string[] = [];
    const wait = async (name: string, delayMs: number): Promise<void> => {
      await clock.delay(delayMs);
      seen.push(`${name} at ${clock.nowMs()}`);
    };
    await Promise.all([wait('late', 1e6), wait('early', 1), wait('both', 1)]);
    expect(seen).toEqual(['early at 1', 'both at 1', 'late at 1000000']);
    const aborted = AbortSignal.abort(new Error('no'));
    await expect(clock.delay(1, aborted)).rejects.toThrow('no');
  });

  it('sees a write that nobody sent', async () => {
    const context = new SimulatedContext({
      presentPages: 10,
      workload: { writesPerSecond: 1000, firstPage: 3, pageCount: 2, pattern: 'sweep' },
    });
    await context.trackWrites();
    await context.send(Uint32Array.of(0, 10), { encode: false });
    expect(context.mismatchedPages).toEqual([]);
    await context.clock.delay(10);
    expect(context.mismatchedPages).toEqual([3, 4]);
    const dirty = emptyBitmap(context.memory.pageCount);
    expect(await context.collectDirty(dirty)).toBe(2);
    await context.switchover({ pending: dirty, encode: false });
    expect(context.mismatchedPages).toEqual([]);
    expect(context.violations).toEqual([]);
  });
});
