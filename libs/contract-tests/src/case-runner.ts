import { describe, it } from 'vitest';
import type { ContractCase } from './contract-case.ts';

/** What a suite is given to look at; made anew for each case. */
export interface Fixture {
  /** Gives back what the fixture holds; called once, whatever happened. */
  dispose?(): void | Promise<void>;
}

/** Makes a fixture, or says in words why there cannot be one on this machine: each case is then skipped with that reason. */
export type FixtureMaker<F extends object> = () => F | string | Promise<F | string>;

async function runCase<F extends object>(contractCase: ContractCase<F>, fixture: F): Promise<void> {
  try {
    await contractCase.run(fixture);
  } finally {
    await (fixture as Fixture).dispose?.();
  }
}

/** Runs of `GODWIT_STRESS_SECONDS` last longer than a test usually may. */
const STRESS_TIMEOUT: { readonly timeout?: number } =
  process.env.GODWIT_STRESS_SECONDS === undefined
    ? {}
    : { timeout: 60_000 + 2000 * Number(process.env.GODWIT_STRESS_SECONDS) };

/** Registers the cases with vitest, under a `describe` of this name. */
export function registerCases<F extends object>(
  name: string,
  cases: readonly ContractCase<F>[],
  make: FixtureMaker<F>,
): void {
  describe(name, () => {
    for (const contractCase of cases) {
      it(contractCase.name, STRESS_TIMEOUT, async (context) => {
        const fixture = await make();
        if (typeof fixture === 'string') return context.skip(fixture);
        await runCase(contractCase, fixture);
      });
    }
  });
}

/**
 * Runs the cases without registering them, and names those that fail: how a suite is itself tested on deliberately
 * broken twins.
 * @throws Error where there is no fixture
 */
export async function failingCases<F extends object>(
  cases: readonly ContractCase<F>[],
  make: FixtureMaker<F>,
): Promise<string[]> {
  const failing: string[] = [];
  for (const contractCase of cases) {
    const fixture = await make();
    if (typeof fixture === 'string') throw new Error(`no fixture: ${fixture}`);
    try {
      await runCase(contractCase, fixture);
    } catch {
      failing.push(contractCase.name);
    }
  }
  return failing;
}
