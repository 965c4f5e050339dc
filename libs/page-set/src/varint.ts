/** The most bytes that a number below 2^32 takes. */
export const VARINT_BYTES_MAX = 5;

/** How many bytes `value`, an integer from 0 to 2^32 - 1, takes as a varint: seven bits a byte. */
export function varintBytes(value: number): number {
  return value === 0 ? 1 : Math.ceil((32 - Math.clz32(value)) / 7);
}

/** Writes `value`, lowest seven bits first, the top bit set in all bytes but the last; returns where it ends. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

/** A varint and where it ends. */
export interface Varint {
  readonly value: number;
  readonly end: number;
}

/** The varint at `at`; undefined where it is cut off, longer than it need be, or not below 2^32. */
export function readVarint(bytes: Uint8Array, at: number): Varint | undefined {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte > 0x7f) continue;
    const isOverlong = byte === 0 && index > 0;
    return isOverlong || value > 0xffffffff ? undefined : { value, end: at + index + 1 };
  }
  return undefined;
}
