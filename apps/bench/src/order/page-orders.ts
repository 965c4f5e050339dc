import { priorityOrder, recencyOrder } from '@godwit/dirty-tracker';
import type { PageOrder } from '@godwit/ports';
import { addressOrder } from '@godwit/strategies';

/** The orders by the names that `--order` knows; a fresh one for every migration. */
export const PAGE_ORDERS: Readonly<Record<string, () => PageOrder>> = {
  address: addressOrder,
  recency: recencyOrder,
  priority: () => priorityOrder(),
};
