/**
 * Deltas written out by hand from the format: runs of equal bytes and of new ones in turn, lengths in ULEB128. The old page
 * is all zero; `edits` are what the new page has instead.
 */
export interface GoldenDelta {
  readonly name: string;
  readonly pageSizeBytes: number;
  /** `[offset, bytes in hex, how often]` */
  readonly edits: readonly (readonly [offset: number, hex: string, times?: number])[];
  /** Room for the delta in bytes; the page size where it is not given. */
  readonly capacityBytes?: number;
  /** Hex, or the outcome. */
  readonly delta: string;
}

export const GOLDEN_DELTAS: readonly GoldenDelta[] = [
  { name: 'nothing changed', pageSizeBytes: 4096, edits: [], delta: 'unchanged' },
  {
    // 0 equal, 1 new: aa. The 4,095 equal bytes behind it are not mentioned.
    name: 'the first byte',
    pageSizeBytes: 4096,
    edits: [[0, 'aa']],
    delta: '00 01 aa',
  },
  {
    // 4,095 = 31 * 128 + 127: ff 1f.
    name: 'the last byte',
    pageSizeBytes: 4096,
    edits: [[4095, 'bb']],
    delta: 'ff1f 01 bb',
  },
  { name: 'the longest length of one byte', pageSizeBytes: 4096, edits: [[127, '01']], delta: '7f 01 01' },
  { name: 'the shortest length of two bytes', pageSizeBytes: 4096, edits: [[128, '02']], delta: '8001 01 02' },
  { name: 'a word', pageSizeBytes: 4096, edits: [[100, 'deadbeef']], delta: '64 04 deadbeef' },
  {
    // A single equal byte ends a run: byte 11 is as it was.
    name: 'two bytes around an equal one',
    pageSizeBytes: 4096,
    edits: [[10, '010002']],
    delta: '0a 01 01 01 01 02',
  },
  {
    // 200 = 1 * 128 + 72: c8 01.
    name: 'a long run',
    pageSizeBytes: 4096,
    edits: [[0, '55', 200]],
    delta: `00 c801 ${'55'.repeat(200)}`,
  },
  {
    // Runs meet the borders of 64 bytes, at which the native kernels work: 63 equal, 2 new; then 62 equal, 1 new.
    name: 'runs at the borders of vectors',
    pageSizeBytes: 512,
    edits: [
      [63, '0102'],
      [127, '03'],
    ],
    delta: '3f 02 0102 3e 01 03',
  },
  {
    // 20,000 = 1 * 16,384 + 28 * 128 + 32: a0 9c 01, which no page of QEMU's needs.
    name: 'a length of three bytes',
    pageSizeBytes: 65536,
    edits: [[20000, 'ee']],
    delta: 'a09c01 01 ee',
  },
  {
    // 16,383 = 127 * 128 + 127: the longest length of two bytes.
    name: 'the last byte of 16 KiB',
    pageSizeBytes: 16384,
    edits: [[16383, 'cc']],
    delta: 'ff7f 01 cc',
  },
  { name: 'every byte', pageSizeBytes: 4096, edits: [[0, '55', 4096]], delta: 'overflow' },
  {
    // 511 = 3 * 128 + 127: ff 03. 514 bytes; but room for one more length (two bytes) must be left, as a byte follows.
    name: 'all but the last byte, with room',
    pageSizeBytes: 512,
    capacityBytes: 516,
    edits: [[0, '55', 511]],
    delta: `00 ff03 ${'55'.repeat(511)}`,
  },
  {
    name: 'all but the last byte, without room for one more length',
    pageSizeBytes: 512,
    capacityBytes: 515,
    edits: [[0, '55', 511]],
    delta: 'overflow',
  },
  {
    // 512 = 4 * 128: 80 04. Nothing follows, so that no room is needed: 3 + 512 bytes.
    name: 'every byte, with just enough room',
    pageSizeBytes: 512,
    capacityBytes: 515,
    edits: [[0, '55', 512]],
    delta: `00 8004 ${'55'.repeat(512)}`,
  },
];

/** Deltas that no decoder may take, for a page of 4,096 bytes. */
export const HOSTILE_DELTAS: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'a length alone': '05',
  'a length that does not end': '80',
  'two lengths without bytes': '00 01',
  'bytes cut off': '00 04 deadbe',
  'an empty run of new bytes': '05 00',
  'an empty run of new bytes later': '05 01 aa 05 00',
  'an empty run of equal bytes that is not the first': '00 01 aa 00 01 bb',
  'equal bytes at the end': '00 01 aa 05',
  'a padded length of equal bytes': '8500 01 aa',
  'a padded length of new bytes': '05 8100 aa',
  'a length of three bytes': '858001 01 aa',
  'equal bytes beyond the page': '8020 01 aa',
  'new bytes beyond the page': 'ff1f 02 aabb',
  'a sound run, then one beyond the page': '00 01 aa ff1f 01 bb',
  'the longest lengths': 'ff7f ff7f aa',
};
