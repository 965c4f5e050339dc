import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatLink,
  integerBetween,
  parseByteRate,
  parseBytes,
  parseCount,
  parseLink,
  parseMilliseconds,
  parsePacketRate,
} from '../src/quantities.ts';

describe('quantities', () => {
  it.each([
    ['8GiB', 8 * 2 ** 30],
    ['256MiB', 2 ** 28],
    ['64 mib', 2 ** 26],
    ['1.5GB', 1.5e9],
    ['4096', 4096],
    ['1KB', 1000],
    ['0', 0],
  ])('reads %s as bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each(['', '8xx', 'GiB', '-1MiB', '1e9', '1GB/s', '1 2MiB', 'NaN', '9'.repeat(30)])(
    'refuses %j as bytes',
    (text) => {
      expect(() => parseBytes(text)).toThrow(RangeError);
    },
  );

  it('reads rates', () => {
    expect(parseByteRate('1GB/s')).toBe(1e9);
    expect(parseByteRate('64MiB/s')).toBe(2 ** 26);
    expect(parseCount('8M')).toBe(8e6);
    expect(parseCount('250k')).toBe(250_000);
    expect(parsePacketRate('100kpps')).toBe(100_000);
    expect(parsePacketRate('1Mpps')).toBe(1e6);
    for (const text of ['1GB', '100', '100k']) expect(() => parseByteRate(text)).toThrow(RangeError);
    for (const text of ['100k', 'kpps', '1GBpps']) expect(() => parsePacketRate(text)).toThrow(RangeError);
  });

  it('reads links in bits and gives bytes', () => {
    expect(parseLink('10Gbps')).toBe(1.25e9);
    expect(parseLink('1Gb/s')).toBe(1.25e8);
    expect(parseLink('100Mbps')).toBe(1.25e7);
    expect(parseLink('none')).toBeUndefined();
    for (const text of ['10G', '10GBps', '0Gbps', 'fast']) expect(() => parseLink(text)).toThrow(RangeError);
  });

  it('reads times and whole numbers', () => {
    expect(parseMilliseconds('2000')).toBe(2000);
    expect(parseMilliseconds('0.5ms')).toBe(0.5);
    expect(parseMilliseconds('2s')).toBe(2000);
    for (const text of ['0', '-1', '2h', '']) expect(() => parseMilliseconds(text)).toThrow(RangeError);
    expect(integerBetween(1, 16)('16')).toBe(16);
    for (const text of ['0', '17', '1.5', 'two', '']) expect(() => integerBetween(1, 16)(text)).toThrow(RangeError);
  });

  it('writes them for people', () => {
    expect(formatBytes(8 * 2 ** 30)).toBe('8 GiB');
    expect(formatBytes(2 ** 28)).toBe('256 MiB');
    expect(formatBytes(4.25 * 2 ** 20)).toBe('4.3 MiB');
    expect(formatBytes(512)).toBe('512 B');
    expect(formatCount(100_000)).toBe('100 k');
    expect(formatCount(8e6)).toBe('8 M');
    expect(formatLink(1.25e9)).toBe('10 Gb/s');
    expect(formatLink(undefined)).toBe('not capped');
  });
});
