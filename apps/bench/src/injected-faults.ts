import type { InjectedFaults } from '@godwit/migrator';

/** Defects on purpose, by the names that `--inject` knows: they show that a verdict turns red. */
export const INJECTED_FAULTS: Readonly<Record<string, InjectedFaults>> = {
  /** The tracker forgets one dirty page in a hundred. */
  'lost-pages': { forgetOneIn: 100 },
  /** The pump sends half of an old page. */
  'torn-page': { tearPage: true },
  /** The destination keeps an old page. */
  'stale-page': { keepStalePage: true },
};
