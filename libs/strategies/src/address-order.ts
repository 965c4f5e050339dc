import { PageSet } from '@godwit/page-set';
import type { PageOrder } from '@godwit/ports';

/** Pages by ascending index, however often they are written. Learns nothing and keeps nothing. */
export function addressOrder(): PageOrder {
  return {
    name: 'address',
    observe: () => {},
    arrange: (pending) => PageSet.of(pending).toRuns(),
  };
}
