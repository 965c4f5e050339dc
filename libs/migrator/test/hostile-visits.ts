import { randomBytes } from 'node:crypto';
import type { ErrorCode, Guest } from '@godwit/ports';
import { encodeHeader, type FrameName, HEADER_BYTES } from '../src/frame.ts';
import { HANDSHAKE_BYTES_MAX } from '../src/handshake.ts';
import { type HostileSource, helloOf, u32, u64 } from './hostile-source.ts';

/** What a visitor knows of the guest that it pretends to bring. */
export interface Pretended {
  readonly guest: Guest;
  readonly digest: string;
  /** A sound execution state of such a guest. */
  readonly state: Uint8Array;
}

export interface Visit {
  readonly what: string;
  /** What the destination makes of it. */
  readonly code: ErrorCode;
  /** With which frame it answers; none if there is nobody to answer, or nothing to say. */
  readonly answer?: 'REFUSE' | 'FAILED';
  act(peer: HostileSource, pretended: Pretended): void | Promise<void>;
}

const TOKEN = 'open sesame';
const EMPTY: Uint8Array = new Uint8Array(0);

function hello(overrides: Readonly<Record<string, unknown>> = {}) {
  return (peer: HostileSource, { guest, digest }: Pretended): void => {
    peer.sendJson('HELLO', helloOf(guest, digest, { token: TOKEN, ...overrides }));
  };
}

/** A HELLO whose guest description is overridden too. */
function helloWithGuest(of: (guest: Guest) => Readonly<Record<string, unknown>>, guestOf = of) {
  return (peer: HostileSource, { guest, digest }: Pretended): void => {
    const description = { ...guest.describe(), ...guestOf(guest) };
    peer.sendJson('HELLO', helloOf(guest, digest, { token: TOKEN, ...of(guest), guest: description }));
  };
}

function headerWith(offset: number, ...bytes: number[]) {
  return (peer: HostileSource): void => {
    const header = Buffer.from(encodeHeader('HELLO', 0, EMPTY, 0));
    header.set(bytes, offset);
    peer.bytes(header);
  };
}

/** After it was admitted. */
function admitted(name: FrameName, body: (pretended: Pretended) => Uint8Array, raw: Uint8Array = EMPTY) {
  return async (peer: HostileSource, pretended: Pretended): Promise<void> => {
    await admit(peer, pretended);
    peer.send(name, body(pretended), raw);
  };
}

async function admit(peer: HostileSource, pretended: Pretended, overrides = {}): Promise<void> {
  hello(overrides)(peer, pretended);
  await peer.expect('ADMIT');
}

/** After it was admitted, and everything but COMMIT has arrived. */
async function ready(peer: HostileSource, pretended: Pretended): Promise<void> {
  await admit(peer, pretended);
  peer.send('STATE', Buffer.concat([u64(1), pretended.state]));
  await peer.expect('READY');
}

const MALFORMED = { code: 'ERR_GODWIT_FRAME_MALFORMED', answer: 'REFUSE' } as const;
const OUT_OF_TURN = { code: 'ERR_GODWIT_PROTOCOL', answer: 'FAILED' } as const;
const page = Buffer.alloc(4096, 0xee);

/** Each is one visit of a peer that lies, errs or leaves. */
export const VISITS: readonly Visit[] = [
  { what: 'random bytes', ...MALFORMED, act: (peer) => peer.bytes(randomBytes(1024)) },
  {
    what: 'half a header',
    code: 'ERR_GODWIT_CONNECTION_CLOSED',
    act: (peer) => {
      peer.bytes(encodeHeader('HELLO', 0, EMPTY, 0).subarray(0, HEADER_BYTES / 2));
      peer.leave();
    },
  },
  {
    what: 'half a body',
    code: 'ERR_GODWIT_CONNECTION_CLOSED',
    act: (peer) => {
      peer.bytes(encodeHeader('HELLO', 0, new Uint8Array(100), 0));
      peer.bytes(new Uint8Array(50));
      peer.leave();
    },
  },
  { what: 'a body of 4 GiB', ...MALFORMED, act: headerWith(12, 255, 255, 255, 255) },
  { what: 'raw pages of 4 GiB', ...MALFORMED, act: headerWith(16, 255, 255, 255, 255) },
  { what: 'another magic', ...MALFORMED, act: headerWith(0, 0x51) },
  { what: 'a frame type that is none', ...MALFORMED, act: headerWith(4, 200) },
  { what: 'frame type zero', ...MALFORMED, act: headerWith(4, 0) },
  { what: 'reserved bytes that are not zero', ...MALFORMED, act: headerWith(6, 1) },
  { what: 'another sequence number', ...MALFORMED, act: headerWith(8, 1) },
  { what: 'a damaged checksum', ...MALFORMED, act: headerWith(20, 1, 2, 3, 4) },
  {
    what: 'a HELLO that is too long',
    ...MALFORMED,
    act: (peer) => peer.send('HELLO', Buffer.alloc(HANDSHAKE_BYTES_MAX + 1, 0x20)),
  },
  {
    what: 'pages before HELLO',
    code: 'ERR_GODWIT_PROTOCOL',
    answer: 'REFUSE',
    act: (peer) => peer.send('PAGES', u32(1, 0, 1), page),
  },
  {
    what: 'COMMIT before HELLO',
    code: 'ERR_GODWIT_PROTOCOL',
    answer: 'REFUSE',
    act: (peer) => peer.send('COMMIT', u64(1)),
  },
  { what: 'a HELLO that is not JSON', ...MALFORMED, act: (peer) => peer.send('HELLO', Buffer.from('{"protocol":')) },
  { what: 'a HELLO that is not text', ...MALFORMED, act: (peer) => peer.send('HELLO', Buffer.alloc(64, 0xff)) },
  { what: 'a HELLO of nothing', ...MALFORMED, act: (peer) => peer.send('HELLO') },
  { what: 'a HELLO that is a list', ...MALFORMED, act: (peer) => peer.sendJson('HELLO', [1, 2]) },
  {
    what: 'a HELLO nested ten thousand deep',
    ...MALFORMED,
    act: (peer) => peer.send('HELLO', Buffer.from('['.repeat(10_000) + ']'.repeat(10_000))),
  },
  { what: 'a negative page count', ...MALFORMED, act: hello({ pageCount: -1 }) },
  { what: 'a page count beyond all', ...MALFORMED, act: hello({ pageCount: 2 ** 40 }) },
  { what: 'half a page', ...MALFORMED, act: hello({ pageCount: 1.5 }) },
  { what: 'negative resident memory', ...MALFORMED, act: hello({ residentBytes: -4096 }) },
  { what: 'a session that is no session', ...MALFORMED, act: hello({ session: '../../etc/passwd\n' }) },
  { what: 'epoch zero', ...MALFORMED, act: hello({ epoch: 0 }) },
  {
    what: 'more pages than the memory has bytes for',
    code: 'ERR_GODWIT_MEMORY_SIZE',
    answer: 'REFUSE',
    act: hello({ pageCount: 0xffff_ffff }),
  },
  {
    what: 'more resident memory than memory',
    code: 'ERR_GODWIT_MEMORY_SIZE',
    answer: 'REFUSE',
    act: hello({ residentBytes: 2 ** 40 }),
  },
  { what: 'another token', code: 'ERR_GODWIT_TOKEN', answer: 'REFUSE', act: hello({ token: 'open barley' }) },
  { what: 'no token', code: 'ERR_GODWIT_TOKEN', answer: 'REFUSE', act: hello({ token: undefined }) },
  {
    what: 'another protocol version',
    code: 'ERR_GODWIT_PROTOCOL_VERSION',
    answer: 'REFUSE',
    act: hello({ protocol: 2 }),
  },
  {
    what: 'another page size',
    code: 'ERR_GODWIT_PAGE_SIZE',
    answer: 'REFUSE',
    act: helloWithGuest(({ memory }) => ({
      pageSizeBytes: memory.pageSizeBytes * 2,
      pageCount: memory.pageCount / 2,
    })),
  },
  {
    what: 'pages too large for any frame',
    code: 'ERR_GODWIT_PAGE_SIZE',
    answer: 'REFUSE',
    act: helloWithGuest(
      () => ({ pageSizeBytes: 8 << 20, pageCount: 2 }),
      () => ({ pageSizeBytes: 8 << 20, memoryBytes: 16 << 20 }),
    ),
  },
  {
    what: 'another memory size than the guest is made with',
    code: 'ERR_GODWIT_MEMORY_SIZE',
    answer: 'REFUSE',
    act: helloWithGuest(
      ({ memory }) => ({ pageCount: memory.pageCount * 2 }),
      ({ memory }) => ({ memoryBytes: memory.pageCount * memory.pageSizeBytes * 2 }),
    ),
  },
  {
    what: 'execution state of another size',
    code: 'ERR_GODWIT_STATE_INVALID',
    answer: 'REFUSE',
    act: hello({ stateBytesMax: 12 }),
  },
  {
    what: 'an unknown codec',
    code: 'ERR_GODWIT_CODEC_MISMATCH',
    answer: 'REFUSE',
    act: hello({ codec: { name: 'zip', code: 99 } }),
  },
  { what: 'an unknown digest', code: 'ERR_GODWIT_UNSUPPORTED', answer: 'REFUSE', act: hello({ digest: 'md5' }) },
  {
    what: 'a guest that cannot be made',
    code: 'ERR_GODWIT_REFUSED',
    answer: 'REFUSE',
    act: helloWithGuest(
      () => ({}),
      () => ({ config: { memoryBytes: 'much', pageCount: 'many' } }),
    ),
  },
  {
    what: 'a second HELLO on the same connection',
    ...OUT_OF_TURN,
    act: admitted('HELLO', ({ guest, digest }) => Buffer.from(JSON.stringify(helloOf(guest, digest)))),
  },
  {
    what: 'a page outside the memory',
    code: 'ERR_GODWIT_PAGE_RANGE',
    answer: 'FAILED',
    act: admitted('PAGES', ({ guest }) => u32(1, guest.memory.pageCount, 1), page),
  },
  {
    what: 'the last page of all numbers',
    code: 'ERR_GODWIT_PAGE_RANGE',
    answer: 'FAILED',
    act: admitted('PAGES', () => u32(1, 0xffff_ffff, 1), page),
  },
  {
    what: 'a run that ends outside the memory',
    code: 'ERR_GODWIT_PAGE_RANGE',
    answer: 'FAILED',
    act: admitted('ZERO', ({ guest }) => u32(1, 1, guest.memory.pageCount)),
  },
  {
    what: 'more raw bytes than pages',
    ...OUT_OF_TURN,
    act: admitted('PAGES', () => u32(1, 0, 1), Buffer.alloc(8192)),
  },
  { what: 'fewer raw bytes than pages', ...OUT_OF_TURN, act: admitted('PAGES', () => u32(1, 0, 2), page) },
  { what: 'pages without raw bytes', ...OUT_OF_TURN, act: admitted('PAGES', () => u32(1, 0, 1)) },
  {
    what: 'an end in the middle of a page',
    code: 'ERR_GODWIT_CONNECTION_CLOSED',
    act: async (peer, pretended) => {
      await admit(peer, pretended);
      peer.bytes(peer.frame('PAGES', u32(1, 0, 1), page).subarray(0, -100));
      peer.leave();
    },
  },
  {
    what: 'all of memory named a thousand times',
    code: 'ERR_GODWIT_FRAME_MALFORMED',
    answer: 'FAILED',
    act: admitted('ZERO', ({ guest }) => u32(1000, ...new Array(1000).fill([0, guest.memory.pageCount]).flat())),
  },
  {
    what: 'a list of pages that is shorter than it says',
    code: 'ERR_GODWIT_FRAME_MALFORMED',
    answer: 'FAILED',
    act: admitted('ZERO', () => u32(0xffff_ffff, 0, 1)),
  },
  { what: 'a delta where no codec was agreed on', ...OUT_OF_TURN, act: admitted('DELTA', () => u32(0)) },
  ...(
    [
      ['deltas that do not add up', 'ERR_GODWIT_FRAME_MALFORMED', Buffer.concat([u32(1, 0, 9), Buffer.alloc(3)])],
      [
        'a delta of more than a page',
        'ERR_GODWIT_FRAME_MALFORMED',
        Buffer.concat([u32(1, 0, 5000), Buffer.alloc(5000)]),
      ],
      ['a delta outside the memory', 'ERR_GODWIT_PAGE_RANGE', Buffer.concat([u32(1, 0xffff_fff0, 1), Buffer.alloc(1)])],
      ['a damaged delta', 'ERR_GODWIT_DELTA_MALFORMED', Buffer.concat([u32(1, 0, 4), Buffer.alloc(4, 0xff)])],
      [
        'a delta that leaves its page',
        'ERR_GODWIT_DELTA_MALFORMED',
        Buffer.concat([u32(1, 0, 4), Buffer.from([0xff, 0x1f, 0x09, 1])]),
      ],
    ] as const
  ).map(
    ([what, code, body]): Visit => ({
      what,
      code,
      answer: 'FAILED',
      act: async (peer, pretended) => {
        await admit(peer, pretended, { codec: { name: 'xbzrle', code: 1 } });
        peer.send('DELTA', body);
      },
    }),
  ),
  {
    what: 'execution state of garbage',
    code: 'ERR_GODWIT_STATE_INVALID',
    answer: 'FAILED',
    act: admitted('STATE', ({ state }) => Buffer.concat([u64(1), randomBytes(state.length)])),
  },
  {
    what: 'execution state cut short',
    code: 'ERR_GODWIT_STATE_INVALID',
    answer: 'FAILED',
    act: admitted('STATE', ({ state }) => Buffer.concat([u64(1), state.subarray(0, -1)])),
  },
  {
    what: 'execution state that is too long',
    code: 'ERR_GODWIT_STATE_INVALID',
    answer: 'FAILED',
    act: admitted('STATE', ({ state }) => Buffer.concat([u64(1), state, new Uint8Array(1)])),
  },
  {
    what: 'no execution state at all',
    code: 'ERR_GODWIT_STATE_INVALID',
    answer: 'FAILED',
    act: admitted('STATE', () => u64(1)),
  },
  { what: 'a STATE frame without an epoch', ...OUT_OF_TURN, act: admitted('STATE', () => u32(1)) },
  {
    what: 'execution state of an epoch that was not announced',
    ...OUT_OF_TURN,
    act: admitted('STATE', ({ state }) => Buffer.concat([u64(2), state])),
  },
  { what: 'COMMIT before READY', ...OUT_OF_TURN, act: admitted('COMMIT', () => u64(1)) },
  {
    what: 'COMMIT of another epoch',
    ...OUT_OF_TURN,
    act: async (peer, pretended) => {
      await ready(peer, pretended);
      peer.send('COMMIT', u64(2));
    },
  },
  {
    what: 'COMMIT of an epoch that is 1 only in its lower half',
    ...OUT_OF_TURN,
    act: async (peer, pretended) => {
      await ready(peer, pretended);
      peer.send('COMMIT', u64(2n ** 32n + 1n));
    },
  },
  {
    what: 'pages after READY',
    ...OUT_OF_TURN,
    act: async (peer, pretended) => {
      await ready(peer, pretended);
      peer.send('PAGES', u32(1, 0, 1), page);
    },
  },
  {
    what: 'execution state twice',
    ...OUT_OF_TURN,
    act: async (peer, pretended) => {
      await ready(peer, pretended);
      peer.send('STATE', Buffer.concat([u64(1), pretended.state]));
    },
  },
  {
    what: 'a farewell in place of COMMIT',
    code: 'ERR_GODWIT_PEER_FAILED',
    act: async (peer, pretended) => {
      await ready(peer, pretended);
      peer.send('FAILED', Buffer.from('ERR_GODWIT_PROTOCOL: \u001b[31m\r\n changed my mind'));
    },
  },
  {
    what: 'a QUERY of a wrong length',
    code: 'ERR_GODWIT_FRAME_MALFORMED',
    answer: 'REFUSE',
    act: (peer) => peer.send('QUERY', new Uint8Array(23)),
  },
];
