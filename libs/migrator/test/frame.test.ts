import { isGodwitError } from '@godwit/ports';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BODY_BYTES_MAX,
  checkBody,
  decodeHeader,
  encodeHeader,
  FRAME,
  type FrameName,
  HEADER_BYTES,
  RAW_BYTES_MAX,
} from '../src/frame.ts';
import { parseAdmit, parseHello, parseRefusal } from '../src/handshake.ts';
import { decodeDeltas, decodeRuns, encodeDeltas, encodeRuns } from '../src/page-table.ts';
import { GOLDEN_FRAMES, goldenFrame } from './golden-frames.ts';

const NAMES = Object.keys(FRAME) as FrameName[];

/** Whether this is turned away as it should be; anything but the two codes is a defect. */
function turnedAway(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (isGodwitError(error, 'ERR_GODWIT_FRAME_MALFORMED') || isGodwitError(error, 'ERR_GODWIT_PAGE_RANGE'))
      return true;
    throw error;
  }
}

describe('golden frames', () => {
  it('cover every type once', () => {
    expect(GOLDEN_FRAMES.map(({ name }) => name)).toEqual(NAMES);
  });

  it.each(GOLDEN_FRAMES)('$name is written and read byte for byte', ({ name, sequence, rawBytes, header, body }) => {
    expect(Buffer.from(encodeHeader(name, sequence, body, rawBytes)).toString('hex')).toBe(
      Buffer.from(header).toString('hex'),
    );
    const seen = decodeHeader(header, sequence);
    expect(seen).toMatchObject({ name, sequence, rawBytes, bodyBytes: body.length });
    checkBody(header, seen, body);
  });

  it('carry page tables that both tables agree on', () => {
    expect([...decodeRuns(goldenFrame('PAGES').body, 16)]).toEqual([3, 2, 9, 1]);
    expect(encodeRuns([3, 2, 9, 1])).toEqual(goldenFrame('PAGES').body);
    expect([...decodeRuns(goldenFrame('ZERO').body, 16)]).toEqual([0, 3]);
    const deltas = decodeDeltas(goldenFrame('DELTA').body, 16, 4096);
    expect(deltas.map(({ page, bytes }) => [page, ...bytes])).toEqual([
      [4, 5, 1, 255],
      [7, 9],
    ]);
    expect(encodeDeltas(deltas)).toEqual(goldenFrame('DELTA').body);
  });

  it('carry handshakes that are understood', () => {
    expect(parseHello(goldenFrame('HELLO').body)).toMatchObject({ pageCount: 16, token: 'open sesame' });
    expect(parseAdmit(goldenFrame('ADMIT').body)).toEqual({ protocol: 1, bootId: 'boot' });
    expect(parseRefusal(goldenFrame('REFUSE').body).code).toBe('ERR_GODWIT_TOKEN');
  });
});

describe('a frame from outside', () => {
  it('is turned away for any bit that was flipped', () => {
    for (const { header, body, sequence } of GOLDEN_FRAMES) {
      for (let bit = 0; bit < (HEADER_BYTES + body.length) * 8; bit += 1) {
        const bytes = Buffer.concat([header, body]);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const [damaged, rest] = [bytes.subarray(0, HEADER_BYTES), bytes.subarray(HEADER_BYTES)];
        expect(turnedAway(() => checkBody(damaged, decodeHeader(damaged, sequence), rest))).toBe(true);
      }
    }
  });

  it('is turned away for its length before its body is read', () => {
    for (const [offset, lengthBytes] of [
      [12, BODY_BYTES_MAX + 1],
      [12, 0xffff_ffff],
      [16, RAW_BYTES_MAX + 1],
      [16, 0xffff_ffff],
    ] as const) {
      const header = Buffer.from(encodeHeader('PAGES', 0, new Uint8Array(0), 0));
      header.writeUInt32LE(lengthBytes, offset);
      expect(turnedAway(() => decodeHeader(header, 0))).toBe(true);
    }
    expect(() => encodeHeader('PAGES', 0, new Uint8Array(0), RAW_BYTES_MAX + 1)).toThrow(RangeError);
  });

  it('has raw pages only if it is PAGES', () => {
    for (const name of NAMES) {
      const read = (): unknown => decodeHeader(encodeHeader(name, 0, new Uint8Array(4), 4096), 0);
      expect(turnedAway(read)).toBe(name !== 'PAGES');
    }
  });
});

describe('page tables from outside', () => {
  it('come back as they went', () => {
    const page = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(fc.uniqueArray(page), (pages) => {
        expect([...decodeRuns(encodeRuns(pages.flatMap((first) => [first, 1])), 0x1_0000)]).toEqual(
          pages.flatMap((first) => [first, 1]),
        );
      }),
    );
    const delta = fc.record({ page, bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }) });
    fc.assert(
      fc.property(fc.uniqueArray(delta, { selector: (one) => one.page }), (deltas) => {
        const seen = decodeDeltas(encodeDeltas(deltas), 0x1_0000, 64);
        expect(seen.map(({ page, bytes }) => [page, ...bytes])).toEqual(
          deltas.map(({ page, bytes }) => [page, ...bytes]),
        );
      }),
    );
  });

  it('never name a page outside memory, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(4), fc.nat(100), (body, count, memoryPages) => {
        const table = Buffer.concat([Buffer.alloc(4), body]);
        table.writeUInt32LE(count);
        turnedAway(() => {
          const runs = decodeRuns(table, memoryPages);
          let named = 0;
          for (let index = 0; index < runs.length; index += 2) {
            expect((runs[index] ?? 0) + (runs[index + 1] ?? 0)).toBeLessThanOrEqual(memoryPages);
            named += runs[index + 1] ?? 0;
          }
          expect(named).toBeLessThanOrEqual(memoryPages);
        });
        turnedAway(() => {
          for (const { page, bytes } of decodeDeltas(table, memoryPages, 32)) {
            expect(page).toBeLessThan(memoryPages);
            expect(bytes.length).toBeLessThanOrEqual(32);
          }
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('name no page more than once, so that a small frame cannot ask for much work', () => {
    const whole = encodeRuns(Array.from({ length: 1000 }, () => [0, 1000]).flat());
    expect(turnedAway(() => decodeRuns(whole, 1000))).toBe(true);
    expect(turnedAway(() => decodeRuns(encodeRuns([0, 1000]), 1000))).toBe(false);
  });
});
