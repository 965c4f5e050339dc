import { PageSet } from '@godwit/page-set';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { describe, expect, it } from 'vitest';
import { compareScan, wordScan } from '../src/micro/plain-scan.ts';
import { plainCount, plainOr } from '../src/micro/plain-words.ts';
import { realPages } from '../src/micro/process-pages.ts';
import { seededRandom } from '../src/micro/seeded-random.ts';
import { CHANGES, changePages } from '../src/micro/xbzrle-contents.ts';

const PAGE_BYTES = 4096;

function changedBytes(old: Uint8Array, current: Uint8Array): number {
  return old.reduce((count, byte, index) => count + (byte === current[index] ? 0 : 1), 0);
}

describe('what is measured', () => {
  it.each([
    ['unchanged', 0, 0],
    ['one word', 8, 8],
    ['ten words, 64 bytes apart', 80, 80],
    ['sixteen runs of 64 bytes', 1024, 1024],
    ['5 % of bytes at random', 140, 270],
    ['every byte (refused early)', PAGE_BYTES, PAGE_BYTES],
  ])('changes a page as it says: %s', (name, least, most) => {
    const change = CHANGES.find((each) => each.name === name);
    if (change === undefined) throw new Error(`there is no ${name}`);
    const [old, current] = [new Uint8Array(8 * PAGE_BYTES), new Uint8Array(8 * PAGE_BYTES)];
    changePages(change, old, current);
    for (let start = 0; start < old.length; start += PAGE_BYTES) {
      const end = start + PAGE_BYTES;
      const changed = changedBytes(old.subarray(start, end), current.subarray(start, end));
      expect(changed).toBeGreaterThanOrEqual(least);
      expect(changed).toBeLessThanOrEqual(most);
    }
  });

  it('is the same for the same seed', () => {
    const [one, other, another] = [seededRandom(7), seededRandom(7), seededRandom(8)];
    const take = (random: () => number): number[] => Array.from({ length: 100 }, random);
    const numbers = take(one);
    expect(take(other)).toEqual(numbers);
    expect(take(another)).not.toEqual(numbers);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  });

  it('holds real pages, of which none is zero', () => {
    const { bytes, source } = realPages(1000);
    expect(source).toContain(process.platform === 'linux' ? 'process' : 'Node.js');
    expect(bytes.length).toBe(1000 * PAGE_BYTES);
    const zero = PageSet.empty(1000);
    expect(createZeroPageScanner({ backend: 'typescript' }).scan(bytes, PAGE_BYTES, zero)).toBe(0);
  });
});

describe('what one would write without a package', () => {
  it('finds the same zero pages', () => {
    const memory = new Uint8Array(16 * PAGE_BYTES);
    for (const page of [0, 3, 15]) memory[page * PAGE_BYTES + page * 17] = 1;
    const ours = PageSet.empty(16);
    createZeroPageScanner().scan(memory, PAGE_BYTES, ours);
    expect(ours.count()).toBe(13);
    for (const scan of [compareScan, wordScan]) {
      const into = PageSet.full(16);
      scan(memory, into, 2);
      expect(into.equals(ours)).toBe(true);
    }
  });

  it('joins and counts the same pages', () => {
    const random = seededRandom(3);
    const pages = (): number[] => Array.from({ length: 300 }, () => Math.floor(random() * 1000));
    const [one, other] = [PageSet.fromPages(1000, pages()), PageSet.fromPages(1000, pages())];
    const plain = one.clone();
    plainOr(plain.words, other.words);
    expect(plain.equals(one.or(other))).toBe(true);
    expect(plainCount(plain.words)).toBe(one.count());
  });
});
