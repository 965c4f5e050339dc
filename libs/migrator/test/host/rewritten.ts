import { PageSet } from '@godwit/page-set';
import type { Guest, Strategy } from '@godwit/ports';

/** So much the guest has checked, and hence written, between two looks. */
const CHECKED_COUNT = 500;

/**
 * Two rounds and a switchover without any hurry: before each the guest has written pages that were sent already, so that
 * a page which is then lost, torn or left stale is one that matters.
 */
export function rewritten(guest: Guest): Strategy {
  const written = async (): Promise<void> => {
    const { checkedCount } = await guest.selfCheck();
    while ((await guest.selfCheck()).checkedCount < checkedCount + CHECKED_COUNT) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    name: 'rewritten',
    async *run(context) {
      yield* [];
      const { pageCount } = context.memory;
      await context.trackWrites();
      for (const collect of [context.presentPages, context.collectDirty]) {
        const pages = PageSet.empty(pageCount);
        await collect(pages);
        await context.send(pages.toRuns(), { encode: false });
        await written();
      }
      await context.switchover({ pending: PageSet.empty(pageCount), encode: false });
    },
  };
}
