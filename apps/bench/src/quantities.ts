/** Reads a quantity from the command line; throws a `RangeError` that says what was expected. */
export type QuantityReader = (text: string) => number;

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

const COUNT_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9 };

/**
 * Bytes: `8GiB`, `64MiB`, `1.5GB`, `4096`. Units of 1,000 and of 1,024 are told apart; capital letters do not matter.
 * @throws RangeError
 */
export function parseBytes(text: string): number {
  const [value, unit] = split(text);
  const factor = BYTE_UNITS[unit.toUpperCase()];
  if (value === undefined || factor === undefined) throw expected(text, 'bytes such as 256MiB, 8GiB or 1GB');
  return whole(value * factor, text);
}

/**
 * A rate in bytes a second: `1GB/s`, `64MiB/s`.
 * @throws RangeError
 */
export function parseByteRate(text: string): number {
  const [, amount] = /^(.*)\/s$/i.exec(text.trim()) ?? [];
  if (amount === undefined) throw expected(text, 'bytes a second such as 1GB/s');
  return parseBytes(amount);
}

/**
 * A count, or a count a second: `8M`, `250k`, `100`.
 * @throws RangeError
 */
export function parseCount(text: string): number {
  const [value, unit] = split(text);
  const factor = COUNT_UNITS[unit.toUpperCase()];
  if (value === undefined || factor === undefined) throw expected(text, 'a count such as 250k or 8M');
  return whole(value * factor, text);
}

/**
 * Packets a second: `100kpps`, `1Mpps`, `500pps`.
 * @throws RangeError
 */
export function parsePacketRate(text: string): number {
  const [, count] = /^(.*)pps$/i.exec(text.trim()) ?? [];
  if (count === undefined) throw expected(text, 'packets a second such as 100kpps or 1Mpps');
  return parseCount(count);
}

/**
 * A link's rate in **bytes** a second from bits a second: `10Gbps`, `10Gb/s`, `1Mbps`; `none` is a link without a cap.
 * @throws RangeError
 */
export function parseLink(text: string): number | undefined {
  if (text === 'none') return undefined;
  const [, bits] = /^(.*)(?:bps|b\/s)$/.exec(text.trim()) ?? [];
  const bitsPerSecond = bits === undefined ? 0 : parseCount(bits);
  if (bitsPerSecond <= 0) throw expected(text, "bits a second such as 10Gbps, or 'none'");
  return bitsPerSecond / 8;
}

/**
 * Milliseconds: `2000`, `10`, `0.5`; `10ms` and `2s` are understood as well.
 * @throws RangeError
 */
export function parseMilliseconds(text: string): number {
  const [value, unit] = split(text);
  const factor = { '': 1, ms: 1, s: 1000 }[unit];
  if (value === undefined || factor === undefined || value <= 0)
    throw expected(text, 'milliseconds above 0, such as 10');
  return value * factor;
}

/** A reader of whole numbers within limits. */
export function integerBetween(least: number, most: number): QuantityReader {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()) || value < least || value > most) {
      throw expected(text, `a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

const BYTE_SIZES = [
  [TIB, 'TiB'],
  [GIB, 'GiB'],
  [MIB, 'MiB'],
] as const;

/** Bytes for people: `1 TiB`, `8 GiB`, `256 MiB`, `4.2 MiB`, `512 B`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [size, unit] = BYTE_SIZES.find(([least]) => bytes >= least) ?? [1024, 'KiB'];
  const value = bytes / size;
  return `${Number.isInteger(value) || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** A count for people: `100 k`, `1.2 M`. */
export function formatCount(count: number): string {
  if (count >= 1e6) return `${Number((count / 1e6).toFixed(2))} M`;
  return count >= 1e4 ? `${Number((count / 1e3).toFixed(1))} k` : String(Number(count.toFixed(1)));
}

/** A link for people: `10 Gb/s`, `not capped`. */
export function formatLink(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? 'not capped' : `${Number(((bytesPerSecond * 8) / 1e9).toFixed(3))} Gb/s`;
}

function split(text: string): [number | undefined, string] {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  return [number === undefined ? undefined : Number(number), unit ?? ''];
}

function whole(value: number, text: string): number {
  const rounded = Math.round(value);
  if (!Number.isSafeInteger(rounded)) throw new RangeError(`'${text}' is too large`);
  return rounded;
}

function expected(text: string, what: string): RangeError {
  return new RangeError(`'${text}' is not ${what}`);
}
