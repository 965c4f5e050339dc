import { type CodedPage, GodwitError, type PageCodec } from '@godwit/ports';
import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { type PageCodecFixture, pageCodecCases, pageCodecSuite } from '../src/page-codec-suite.ts';

type Flaw =
  | 'has code 0'
  | 'never sends less than a page'
  | 'overlooks the last byte'
  | 'forgets what it sent whole'
  | 'keeps the page it was given'
  | 'does not forget'
  | 'writes before it checks'
  | 'throws something else'
  | 'takes deltas that overlap their pages'
  | 'takes any page'
  | 'remembers what it refused'
  | 'takes memory that is gone'
  | 'wants pages at the start of their memory'
  | 'works after close';

/** A codec of entries `[offset low, offset high, byte]`; its page sizes end at 64 KiB. */
function createTwin(flaw?: Flaw): PageCodec {
  return {
    name: 'twin',
    code: flaw === 'has code 0' ? 0 : 9,
    backend: 'typescript',
    createEncoder({ pageSizeBytes, cacheBytes }) {
      checkPageSize(pageSizeBytes);
      if (!(cacheBytes >= pageSizeBytes)) throw new RangeError('cache');
      return createEncoder(flaw, pageSizeBytes, Math.floor(cacheBytes / pageSizeBytes));
    },
    createDecoder({ pageSizeBytes }) {
      checkPageSize(pageSizeBytes);
      return createDecoder(flaw, pageSizeBytes);
    },
  };
}

function createEncoder(flaw: Flaw | undefined, pageSizeBytes: number, cachedPages: number) {
  const sent = new Map<number, Uint8Array>();
  let closed = false;
  const remember = (page: number, content: Uint8Array): void => {
    if (sent.size >= cachedPages && !sent.has(page)) sent.clear();
    sent.set(page, flaw === 'keeps the page it was given' ? content : content.slice());
  };
  const whole = (content: Uint8Array, into: Uint8Array): CodedPage => {
    into.set(content);
    return { outcome: 'raw', lengthBytes: pageSizeBytes };
  };
  return {
    pageSizeBytes,
    encode(page: number, content: Uint8Array, into: Uint8Array): CodedPage {
      if (closed && flaw !== 'works after close') throw new GodwitError('ERR_GODWIT_CLOSED');
      if (flaw === 'remembers what it refused' && content.length === pageSizeBytes) remember(page, content);
      if (flaw !== 'takes any page') checkPage(page);
      if (flaw === 'takes memory that is gone' && content.length === 0) return { outcome: 'unchanged', lengthBytes: 0 };
      if (content.length !== pageSizeBytes || into.length < pageSizeBytes) throw new RangeError('page');
      if (flaw === 'wants pages at the start of their memory')
        content = new Uint8Array(content.buffer, 0, pageSizeBytes);
      const before = sent.get(page);
      if (before === undefined) {
        remember(page, content);
        return whole(content, into);
      }
      const delta = deltaOf(flaw, before, content);
      if (delta.length === 0) return { outcome: 'unchanged', lengthBytes: 0 };
      if (delta.length >= pageSizeBytes || flaw === 'never sends less than a page') {
        if (flaw !== 'forgets what it sent whole') remember(page, content);
        return whole(content, into);
      }
      remember(page, content);
      into.set(delta);
      return { outcome: 'delta', lengthBytes: delta.length };
    },
    forget(page: number): void {
      if (closed && flaw !== 'works after close') throw new GodwitError('ERR_GODWIT_CLOSED');
      if (flaw !== 'takes any page') checkPage(page);
      if (flaw !== 'does not forget') sent.delete(page);
    },
    close(): void {
      closed = true;
    },
  };
}

function deltaOf(flaw: Flaw | undefined, before: Uint8Array, content: Uint8Array): number[] {
  const delta: number[] = [];
  const end = flaw === 'overlooks the last byte' ? content.length - 1 : content.length;
  for (let at = 0; at < end; at++) {
    if (before[at] !== content[at]) delta.push(at & 0xff, at >>> 8, content[at] ?? 0);
  }
  return delta;
}

function createDecoder(flaw: Flaw | undefined, pageSizeBytes: number) {
  let closed = false;
  return {
    pageSizeBytes,
    decode(delta: Uint8Array, page: Uint8Array): void {
      if (closed && flaw !== 'works after close') throw new GodwitError('ERR_GODWIT_CLOSED');
      if (page.length !== pageSizeBytes) throw new RangeError('page');
      if (flaw !== 'takes deltas that overlap their pages' && overlap(delta, page)) throw new RangeError('delta');
      const target = flaw === 'writes before it checks' ? page : page.slice();
      if (delta.length === 0) throw malformed(flaw);
      let last = -1;
      for (let index = 0; index < delta.length; index += 3) {
        const at = (delta[index] ?? 0) | ((delta[index + 1] ?? 0) << 8);
        if (index + 2 >= delta.length || at >= pageSizeBytes || at <= last) throw malformed(flaw);
        target[at] = delta[index + 2] ?? 0;
        last = at;
      }
      page.set(target);
    },
    close(): void {
      closed = true;
    },
  };
}

function overlap(one: Uint8Array, other: Uint8Array): boolean {
  if (one.buffer !== other.buffer) return false;
  return one.byteOffset < other.byteOffset + other.length && other.byteOffset < one.byteOffset + one.length;
}

function malformed(flaw: Flaw | undefined): Error {
  return flaw === 'throws something else' ? new Error('bad') : new GodwitError('ERR_GODWIT_DELTA_MALFORMED');
}

function checkPageSize(pageSizeBytes: number): void {
  if (!(pageSizeBytes >= 512) || !Number.isInteger(Math.log2(pageSizeBytes))) throw new RangeError('page size');
}

function checkPage(page: number): void {
  if (!Number.isInteger(page) || page < 0 || page > 0xffffffff) throw new RangeError('page');
}

pageCodecSuite('twin without a flaw', () => ({ codec: createTwin() }));

describe('the page codec suite tells a codec that', () => {
  it.each<[Flaw, string]>([
    ['has code 0', 'names itself, its code on the wire and its backend'],
    ['never sends less than a page', 'sends a page whole, then nothing, then what changed'],
    ['overlooks the last byte', 'sees a single byte wherever it is'],
    [
      'forgets what it sent whole',
      'sends a page whole that has nothing in common with what was sent, and remembers it',
    ],
    ['keeps the page it was given', 'sends a page whole, then nothing, then what changed'],
    ['does not forget', 'sends a page whole after it was told to forget it'],
    ['writes before it checks', 'refuses damaged deltas and leaves the page alone'],
    ['throws something else', 'refuses damaged deltas and leaves the page alone'],
    ['takes deltas that overlap their pages', 'refuses a delta that overlaps its page, and leaves the page alone'],
    ['takes any page', 'refuses wrong arguments'],
    ['remembers what it refused', 'refuses wrong arguments'],
    ['takes memory that is gone', 'refuses memory that is gone, and goes on'],
    ['wants pages at the start of their memory', 'works on shared memory, at any address'],
    ['works after close', 'closes once and for all'],
  ])('%s', async (flaw, caught) => {
    expect(await failingCases<PageCodecFixture>(pageCodecCases, () => ({ codec: createTwin(flaw) }))).toContain(caught);
  });
});
