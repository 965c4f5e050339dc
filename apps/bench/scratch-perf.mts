import { createXbzrleCodec } from '@godwit/codec-xbzrle';
import { createDirtyTracker, recencyOrder } from '@godwit/dirty-tracker';
import { createKvmGuest, restoreTarget } from '@godwit/guest-kvm';
import { listenForGuests, migrate } from '@godwit/migrator';
import { preCopy } from '@godwit/strategies';
import { tcp } from '@godwit/transport-tcp';
import { createZeroPageScanner } from '@godwit/zeropage-simd';

const resident = Number(process.argv[2] ?? 20) << 20;
const link = process.argv[3] === 'none' || !process.argv[3] ? {} : { linkBytesPerSecond: Number(process.argv[3]) };
for (let i = 0; i < 6; i++) {
  const guest = await createKvmGuest({
    memoryBytes: 8 * 1024 ** 3,
    residentBytes: resident,
    workload: { name: 'idle' },
  });
  const tracker = createDirtyTracker(guest.memory);
  await guest.resume();
  const times: string[] = [];
  let created = 0;
  const destination = await listenForGuests({
    transport: tcp(),
    address: 'tcp://127.0.0.1:0',
    codecs: [createXbzrleCodec()],
    createGuest: async (d) => {
      const t = performance.now();
      const g = await restoreTarget(d.config);
      created = performance.now() - t;
      return g;
    },
    onFailure: (e) => console.error(e),
  });
  await new Promise((r) => setTimeout(r, 300));
  const t0 = performance.now();
  const m = migrate({
    guest,
    tracker,
    scanner: createZeroPageScanner(),
    codec: createXbzrleCodec(),
    strategy: preCopy({ order: recencyOrder() }),
    transport: tcp(link),
    address: destination.address,
    budget: { totalMs: 2000, downtimeMs: 10 },
    ...link,
  });
  for await (const e of m)
    times.push(`${e.type}${e.type === 'phase' ? ':' + e.phase : ''}@${(performance.now() - t0).toFixed(1)}`);
  const r = await m.report;
  console.log(
    `total ${r.totalMs.toFixed(1)} setup ${r.setupMs.toFixed(1)} (create ${created.toFixed(1)}) blackout ${r.blackoutMs.toFixed(2)}`,
    JSON.stringify(r.blackoutPhases),
    'verify',
    r.verifyMs?.toFixed(1),
    r.verified,
    times.join(' '),
  );
  const a = await destination.nextArrival();
  await a.verification;
  await a.guest.close();
  await destination.close();
  await tracker.close();
  await guest.close();
}
