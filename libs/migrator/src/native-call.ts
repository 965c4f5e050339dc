import { fromNativeError } from '@godwit/ports';

/** A native promise whose rejections carry their `GodwitError` codes. */
export async function typed<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw fromNativeError(error);
  }
}

/** A part that was checked to be there. */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('a part of the native pump is missing');
  return value;
}
