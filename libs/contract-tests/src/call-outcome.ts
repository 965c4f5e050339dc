import { type ErrorCode, isGodwitError } from '@godwit/ports';
import { expect } from 'vitest';

/** How a call ended; never rejects, so that it may be looked at later. */
export type Outcome = { readonly rejected: false } | { readonly rejected: true; readonly reason: unknown };

/** Watches a call from now on. */
export async function outcome(work: Promise<unknown>): Promise<Outcome> {
  return work.then(
    () => ({ rejected: false }),
    (reason: unknown) => ({ rejected: true, reason }),
  );
}

/** What a call rejects with. */
export async function rejection(work: Promise<unknown>): Promise<unknown> {
  const ended = await outcome(work);
  return ended.rejected ? ended.reason : expect.fail('resolves where it ought to reject');
}

/** Demands a `GodwitError` of this code. */
export function expectEndedWith(ended: Outcome, code: ErrorCode): Error {
  if (ended.rejected && isGodwitError(ended.reason, code)) return ended.reason;
  throw new Error(`ends with ${code}, not with ${ended.rejected ? String(ended.reason) : 'success'}`);
}

/** Demands that a call rejects with a `GodwitError` of this code. */
export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<Error> {
  return expectEndedWith(await outcome(work), code);
}
