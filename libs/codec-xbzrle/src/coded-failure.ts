import { fromNativeError } from '@godwit/ports';

/** Runs native code whose failures carry codes. */
export function withCodes<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw fromNativeError(error);
  }
}
