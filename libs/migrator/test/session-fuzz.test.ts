import { randomBytes } from 'node:crypto';
import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { type Guest, isGodwitError, type MigrationReport } from '@godwit/ports';
import { preCopy } from '@godwit/strategies';
import { createZeroPageScanner } from '@godwit/zeropage-simd';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHeader, FRAME, type FrameName, HEADER_BYTES } from '../src/frame.ts';
import { type Destination, listenForGuests, migrate } from '../src/index.ts';
import { HostileSource } from './hostile-source.ts';
import { MutatingProxy, type Mutation, type RecordedFrame } from './mutating-proxy.ts';
import { PUMP_KINDS, type PumpKind, progress, titleOf } from './pump-kinds.ts';
import { SeededRandom } from './seeded-random.ts';

/**
 * Sessions that were sound until a byte was changed. Bounded and seeded: the same every time but for the guest's own pace.
 * `GODWIT_FUZZ_SEED` and `GODWIT_FUZZ_RUNS` make it another and a longer one.
 */

const SEED = Number(process.env.GODWIT_FUZZ_SEED ?? 20_260_703);
const LIVE_RUNS = Number(process.env.GODWIT_FUZZ_RUNS ?? 120);
const REPLAYS = LIVE_RUNS;
const TIMEOUT_MS = 200;

interface Landing {
  readonly destination: Destination;
  readonly guests: Guest[];
  /** The first failure it reports. */
  readonly failure: Promise<Error>;
}

async function land(kind: PumpKind): Promise<Landing> {
  const guests: Guest[] = [];
  let fail: (error: Error) => void = () => {};
  const failure = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const destination = await listenForGuests({
    transport: kind.transport,
    address: 'tcp://127.0.0.1:0',
    timeoutMs: TIMEOUT_MS,
    codecs: [createXbzrleCodec()],
    createGuest: async (description) => {
      const guest = await kind.restore(description);
      guests.push(guest);
      return guest;
    },
    onFailure: fail,
  });
  return { destination, guests, failure };
}

async function move(kind: PumpKind, guest: Guest, address: string): Promise<MigrationReport | Error> {
  const tracker = kind.tracker(guest);
  const { report } = migrate({
    guest,
    tracker,
    scanner: createZeroPageScanner(),
    codec: createXbzrleCodec(),
    codecCacheBytes: 4 << 20,
    strategy: preCopy(),
    transport: kind.transport,
    address,
    budget: { totalMs: 1000, downtimeMs: 100 },
    timeoutMs: TIMEOUT_MS,
    reconnectMs: 1000,
  });
  const outcome = await report.catch((error: Error) => error);
  await tracker.close();
  return outcome;
}

/** Damage at one place, mostly in what is not page bytes: most bytes are, and they are the least interesting. */
function mutationOf(random: SeededRandom, frames: readonly RecordedFrame[]): Mutation {
  const { direction, bytes, offsetBytes } = random.pick(frames);
  const { bodyBytes, rawBytes } = decodeHeader(bytes.subarray(0, HEADER_BYTES), bytes.readUInt32LE(8));
  const inFrame =
    random.below(5) === 0 && rawBytes > 0
      ? HEADER_BYTES + bodyBytes + random.below(rawBytes)
      : random.below(HEADER_BYTES + bodyBytes);
  const at = { direction, offsetBytes: offsetBytes + inFrame };
  const removeBytes = 1 + random.below(16);
  switch (random.below(5)) {
    case 0:
      return {
        ...at,
        removeBytes: 1,
        insert: Buffer.from([(bytes[inFrame] ?? 0) ^ (1 << random.below(8))]),
        cut: false,
      };
    case 1:
      return { ...at, removeBytes, insert: random.bytes(removeBytes), cut: false };
    case 2:
      return { ...at, removeBytes, insert: Buffer.alloc(0), cut: false };
    case 3:
      return { ...at, removeBytes: 0, insert: random.bytes(removeBytes), cut: false };
    default:
      return { ...at, removeBytes: 0, insert: Buffer.alloc(0), cut: true };
  }
}

/** A frame as an attacker would change it, who gets every checksum right. */
function altered(random: SeededRandom, name: FrameName, body: Buffer, raw: Buffer): [FrameName, Buffer, Buffer][] {
  const other = Buffer.from(body);
  switch (random.below(8)) {
    case 0:
      for (let flips = 1 + random.below(4); flips > 0 && other.length > 0; flips -= 1) {
        const at = random.below(other.length);
        other[at] = random.below(256);
      }
      return [[name, other, raw]];
    case 1:
      if (other.length >= 4) {
        other.writeUInt32LE(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), random.below(other.length - 3));
      }
      return [[name, other, raw]];
    case 2:
      return [[name, other.subarray(0, random.below(other.length + 1)), raw]];
    case 3:
      return [[name, Buffer.concat([other, random.bytes(random.below(32))]), raw]];
    case 4:
      return [];
    case 5:
      return [
        [name, body, raw],
        [name, body, raw],
      ];
    case 6: {
      const type = random.pick(Object.keys(FRAME) as FrameName[]);
      return [[type, body, type === 'PAGES' ? raw : Buffer.alloc(0)]];
    }
    default:
      return name === 'PAGES'
        ? [[name, body, raw.subarray(0, random.below(raw.length))]]
        : [[name, random.bytes(body.length), raw]];
  }
}

for (const kind of PUMP_KINDS) {
  describe.skipIf(kind.missingBecause !== undefined)(titleOf('sessions gone wrong', kind), () => {
    let recorded: readonly RecordedFrame[];
    let guest: Guest;

    beforeAll(async () => {
      guest = await kind.create();
      const { destination } = await land(kind);
      const proxy = await MutatingProxy.start(destination.address);
      const outcome = await move(kind, guest, proxy.address);
      if (outcome instanceof Error) throw outcome;
      expect(outcome).toMatchObject({ verified: true, backends: { pump: kind.name } });
      recorded = proxy.frames;
      await takeOver((await destination.nextArrival()).guest);
      await proxy.close();
      await destination.close();
    });
    afterAll(() => guest.close());

    async function takeOver(next: Guest): Promise<void> {
      if (next !== guest) await guest.close();
      guest = next;
    }

    it(`leave one guest running, whatever happens on the way (${LIVE_RUNS} runs)`, async () => {
      const random = new SeededRandom(SEED);
      const seen = { arrived: 0, stayed: 0, differed: 0 };
      for (let run = 0; run < LIVE_RUNS; run += 1) {
        const mutation = mutationOf(random, recorded);
        const note = `run ${run}: ${JSON.stringify(mutation)}`;
        const { destination, guests } = await land(kind);
        const proxy = await MutatingProxy.start(destination.address, mutation);
        const outcome = await move(kind, guest, proxy.address);
        await proxy.close();
        await destination.close();
        const running = guests.filter((candidate) => candidate.running);
        if (outcome instanceof Error) {
          expect(isGodwitError(outcome), `${note}: ${outcome.stack}`).toBe(true);
          expect(isGodwitError(outcome, 'ERR_GODWIT_IN_DOUBT'), note).toBe(false);
          expect(running, note).toEqual([]);
          await progress(guest);
          seen.stayed += 1;
        } else {
          expect(guest.running, note).toBe(false);
          if (outcome.verified === true) {
            expect(running.length, note).toBe(1);
            await takeOver(running[0] as Guest);
            await progress(guest);
            seen.arrived += 1;
          } else {
            // Page bytes were damaged, which is the digest's to see, or the digest itself was.
            for (const one of guests) await one.close();
            await takeOver(await kind.create());
            seen.differed += 1;
          }
        }
      }
      // Each kind of end was met.
      expect(Math.min(seen.arrived, seen.stayed), JSON.stringify(seen)).toBeGreaterThan(0);
    });

    it(`cost the destination nothing when a peer forges them (${REPLAYS} replays)`, async () => {
      const random = new SeededRandom(SEED + 1);
      const frames = recorded
        .filter(({ direction }) => direction === 'to-destination')
        .map(({ name, bytes }) => {
          const bodyEnd = HEADER_BYTES + bytes.readUInt32LE(12);
          return { name, body: bytes.subarray(HEADER_BYTES, bodyEnd), raw: bytes.subarray(bodyEnd) };
        });
      for (let run = 0; run < REPLAYS; run += 1) {
        const { destination, guests, failure } = await land(kind);
        const peer = await HostileSource.visit(destination.address);
        const damagedFrame = random.below(frames.length);
        frames.forEach(({ name, body, raw }, index) => {
          const text = body
            .toString('latin1')
            .replace(/"session":"\w+"/, `"session":"${randomBytes(16).toString('hex')}"`);
          const own = name === 'HELLO' ? Buffer.from(text, 'latin1') : body;
          const sent: [FrameName, Buffer, Buffer][] =
            index === damagedFrame ? altered(random, name, own, raw) : [[name, own, raw]];
          for (const frame of sent) peer.send(...frame);
        });
        peer.end();
        const arrival = await Promise.race([failure, destination.nextArrival()]);
        if (arrival instanceof Error) expect(isGodwitError(arrival), String(arrival.stack)).toBe(true);
        else await arrival.verification.catch((error) => expect(isGodwitError(error)).toBe(true));
        peer.leave();
        await destination.close();
        if (arrival instanceof Error) expect(guests.filter(({ running }) => running)).toEqual([]);
        for (const one of guests) await one.close();
      }
      const { destination } = await land(kind);
      expect(await move(kind, guest, destination.address)).toMatchObject({ verified: true });
      await takeOver((await destination.nextArrival()).guest);
      await destination.close();
      await progress(guest);
    });
  });
}
