import { PageSet } from '@godwit/page-set';
import type { MigrationContext, PageOrder } from '@godwit/ports';

/** The pages that were written since they were last sent, as one migration knows them. */
export class DirtyPages {
  readonly #context: MigrationContext;
  readonly #order: PageOrder;
  #known: PageSet;
  #spare: PageSet;
  readonly #fresh: PageSet;

  constructor(context: MigrationContext, order: PageOrder) {
    this.#context = context;
    this.#order = order;
    this.#known = PageSet.empty(context.memory.pageCount);
    this.#spare = PageSet.empty(context.memory.pageCount);
    this.#fresh = PageSet.empty(context.memory.pageCount);
  }

  /** What was collected and not taken. Changes with the next `collect`. */
  get known(): PageSet {
    return this.#known;
  }

  /** Asks for the pages written since the last call and teaches them to the order. */
  async collect(): Promise<void> {
    await this.#context.collectDirty(this.#fresh);
    this.#order.observe(this.#fresh);
    this.#known.fetchAndClear(this.#fresh);
  }

  /** Hands out the known pages, which are about to be sent, and starts from none. Valid until the next `take`. */
  take(): PageSet {
    const taken = this.#known;
    this.#known = this.#spare.clear();
    this.#spare = taken;
    return taken;
  }
}
