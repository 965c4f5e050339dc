import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

const brand = Symbol.for('@godwit/error');

/**
 * The error of every Godwit package. `code` is stable, the message says what happened and what to do, `cause` keeps what
 * led to it. Recognise it with `isGodwitError`, which also works across copies of this package.
 */
export class GodwitError extends Error {
  override readonly name = 'GodwitError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string = ERROR_CODES[code], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Whether `value` is a `GodwitError`, with this code if one is given. */
export function isGodwitError(value: unknown, code?: ErrorCode): value is GodwitError {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false;
  return code === undefined || ('code' in value && value.code === code);
}

/**
 * Native code names its failure at the start of the message: `ERR_GODWIT_X: what happened`. Gives the `GodwitError` for
 * such a message, or `value` itself if there is none.
 */
export function fromNativeError(value: unknown): unknown {
  if (!(value instanceof Error) || isGodwitError(value)) return value;
  const [, code, message] = /^(ERR_GODWIT_[A-Z_]+): (.*)$/s.exec(value.message) ?? [];
  if (code === undefined || !Object.hasOwn(ERROR_CODES, code)) return value;
  return new GodwitError(code as ErrorCode, message, { cause: value });
}
