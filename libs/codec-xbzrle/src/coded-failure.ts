import { fromNativeError } from '@godwit/ports';

/**
 * Runs native code whose failures carry codes. Arguments that it refuses itself are arrays that overlap: it sees that sooner,
 * also where two shared buffers are the same memory.
 * @throws RangeError for those
 */
export function withCodes<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'InvalidArg') {
      throw new RangeError(error.message, { cause: error });
    }
    throw fromNativeError(error);
  }
}
