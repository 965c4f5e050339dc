import { describe, expect, it } from 'vitest';
import { atLeast, atMost, type FigureRow } from '../src/micro/figure-row.ts';
import { everyMustMet, formatFigure, type MicroDocument, microResult } from '../src/micro/micro-document.ts';
import { microFigure } from '../src/micro/micro-figure.ts';
import { microTable } from '../src/micro/micro-table.ts';

function row(changes: Partial<FigureRow> = {}): FigureRow {
  const spread = { median: 42, p5: 40, p95: 43, samples: 41 };
  return { name: 'encode, unchanged', variant: 'avx512', backend: 'native', unit: 'GB/s', spread, ...changes };
}

function document(rows: readonly FigureRow[]): MicroDocument {
  return {
    machine: {
      cpu: 'a processor',
      processors: 2,
      memoryBytes: 2 ** 34,
      system: 'Linux 6.18',
      node: 'v20.20.0',
      isas: ['avx512', 'avx2'],
      cacheBytes: { L1d: 49152, L2: 2 ** 20 },
      measuredBytes: 2 ** 31,
      hugePages: true,
      placement: 'measure=1',
    },
    quick: false,
    limits: [
      { name: 'read 1 GiB', variant: 'avx2', unit: 'GB/s', value: 33, p5: 32, p95: 34, samples: 15, fastest: true },
      { name: 'read 1 GiB', variant: 'sse2', unit: 'GB/s', value: 31, p5: 30, p95: 32, samples: 15, fastest: false },
    ],
    results: rows.map((each) => microResult('xbzrle', each)),
    notMeasured: ['dirty: no userfaultfd here'],
  };
}

describe('a result', () => {
  it('has the median, its spread, and the share of its limit', () => {
    const result = microResult('xbzrle', row({ limit: { name: 'read 1 GiB', share: 0.8 } }));
    expect(result).toEqual({
      benchmark: 'xbzrle',
      name: 'encode, unchanged',
      variant: 'avx512',
      backend: 'native',
      value: 42,
      unit: 'GB/s',
      p5: 40,
      p95: 43,
      samples: 41,
      shareOfLimit: 0.8,
      limit: 'read 1 GiB',
    });
    expect(microResult('xbzrle', row()).shareOfLimit).toBeNull();
  });

  it.each([
    [atLeast(42, 60), 42, { better: 'higher', must: 42, met: true, aim: 60, aimMet: false }],
    [atLeast(42, 42), 41.9, { met: false, aimMet: false }],
    // The table shows 42.0.
    [atLeast(42), 41.96, { met: true }],
    [atMost(10, 4), 3.9, { better: 'lower', must: 10, met: true, aimMet: true }],
    [atMost(10, 4), 10.06, { met: false }],
    [atMost(1), 1.004, { met: true }],
  ])('is judged by %j: %d', (target, median, expected) => {
    const spread = { median, p5: median, p95: median, samples: 1 };
    expect(microResult('x', row({ target, spread }))).toMatchObject(expected);
  });

  it('is shown with three digits', () => {
    expect([0.512, 1.05, 42.13, 136.4, 197_208].map(formatFigure)).toEqual(['0.51', '1.05', '42.1', '136', '197208']);
  });
});

describe('a document', () => {
  const missed = document([
    row({ target: atLeast(50, 60) }),
    row({ variant: 'typescript', backend: 'typescript' }),
    row({ name: 'decode', target: atMost(100, 50), unit: 'ns', limit: { name: 'read 1 GiB', share: 0.5 } }),
    row({ variant: 'avx2', target: atLeast(30, 40) }),
  ]);

  it('is met where every must is', () => {
    expect(everyMustMet(missed)).toBe(false);
    expect(everyMustMet(document([row(), row({ target: atLeast(42, 60) })]))).toBe(true);
  });

  it('is a table with the figure beside must and aim, variants beside one another', () => {
    const table = microTable(missed, false);
    expect(table).toContain('a processor, 2 processors (avx512, avx2)');
    expect(table).toContain('pinned: measure=1');
    const lines = table.split('\n').map((line) =>
      line
        .split('│')
        .map((cell) => cell.trim())
        .filter((cell) => cell !== ''),
    );
    expect(lines).toContainEqual(['read 1 GiB', 'avx2', '33.0', '32.0 to 34.0', 'GB/s']);
    expect(table).not.toContain('31.0');
    const first = lines.findIndex(([name]) => name === 'encode, unchanged');
    expect(lines.slice(first, first + 4)).toEqual([
      ['encode, unchanged', 'avx512', 'native', '42.0', '40.0 to 43.0', 'GB/s', '>= 50', '>= 60', 'MISSED'],
      ['typescript', 'typescript', '42.0', '40.0 to 43.0', 'GB/s'],
      ['avx2', 'native', '42.0', '40.0 to 43.0', 'GB/s', '>= 30', '>= 40', 'aim'],
      ['decode', 'avx512', 'native', '42.0', '40.0 to 43.0', 'ns', '<= 100', '<= 50', 'aim', '50.0 %'],
    ]);
    expect(table).toContain('not measured: dirty: no userfaultfd here');
    expect(table).toContain('FAIL: 2 of 3 musts met, 2 of 3 aims');
    expect(table).not.toContain('\u001b');
    expect(microTable(missed, true)).toContain('\u001b[');
  });

  it('lists every loop where only the limits were asked for', () => {
    const table = microTable(document([]), false);
    expect(table).toContain('avx2 (fastest)');
    expect(table).toContain('31.0');
  });

  it('is an SVG image of its judged figures', () => {
    const svg = microFigure(missed);
    expect(svg.startsWith('<svg ')).toBe(true);
    expect(svg.trimEnd().endsWith('</svg>')).toBe(true);
    expect(svg).toContain('encode, unchanged (avx512)');
    expect(svg).toContain('42.0 GB/s (≥ 50)');
    expect(svg).toContain('42.0 ns (≤ 100), 50.0 % of the limit');
    expect(svg).not.toContain('(typescript)');
    expect(svg).toContain('FAIL: 2 of 3 musts met');
  });
});
