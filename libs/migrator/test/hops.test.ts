import { afterEach, describe, expect, it } from 'vitest';
import { GUEST_KINDS } from './host/guest-kinds.ts';
import { TestHost } from './host/test-host.ts';

const HOPS = 20;
const MIB = 2 ** 20;
const MEMORY_BYTES = 256 * MIB;
const RESIDENT_BYTES = 64 * MIB;
/**
 * What a host may have grown by between its first visit and its last, of 64 MiB that come and go each time: heaps settle
 * within it, and nothing that stays behind at every visit does. The portable guest's memory is given back when V8 sees fit.
 */
const GROWTH_BYTES_MAX = { native: 24 * MIB, portable: 64 * MIB };
/** A guest has several descriptors; twenty that each left one behind would be seen. What a runtime opens late is not one of theirs. */
const DESCRIPTOR_GROWTH_MAX = 4;

function growth(seen: readonly number[]): number {
  return (seen.at(-1) ?? 0) - (seen[0] ?? 0);
}

const hosts: TestHost[] = [];

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
});

for (const kind of GUEST_KINDS) {
  describe.skipIf(kind.missingBecause !== undefined)(
    `${kind.name}${kind.missingBecause ? ` (skipped: ${kind.missingBecause})` : ''}`,
    () => {
      it(`hops ${HOPS} times between two processes, whole, and leaves nothing behind`, async () => {
        const pair = await Promise.all([TestHost.start(), TestHost.start()]);
        hosts.push(...pair);
        let [here, there] = pair;
        const workload = 'appmembench';
        await here.ask('create', {
          kind: kind.name,
          memoryBytes: MEMORY_BYTES,
          residentBytes: RESIDENT_BYTES,
          workload,
        });
        const holdings = new Map(
          pair.map((host) => [host, { residentBytes: [] as number[], descriptors: [] as number[] }]),
        );
        let checkedCount = 0;
        for (let hop = 1; hop <= HOPS; hop += 1) {
          const { address } = await there.ask('listen', { kind: kind.name });
          const [report, arrival] = await Promise.all([here.ask('migrate', { address }), there.ask('arrival', {})]);
          expect(report, `hop ${hop}`).toMatchObject({ verified: true, mismatchedPages: 0 });
          expect(arrival.mismatchedPages).toBe(0);
          expect((await here.ask('look', {})).running).toBe(false);
          await here.ask('closeGuest', {});
          // It goes on there before it hops again.
          let look = await there.ask('look', {});
          while (look.selfCheck.checkedCount <= checkedCount) look = await there.ask('look', {});
          expect(look).toMatchObject({ running: true, selfCheck: { ok: true, errorCount: 0 } });
          ({ checkedCount } = look.selfCheck);
          // A host without its guest, so that only what stays behind is seen.
          const held = await here.ask('holdings', {});
          holdings.get(here)?.residentBytes.push(held.residentBytes);
          holdings.get(here)?.descriptors.push(held.descriptors);
          [here, there] = [there, here];
        }
        for (const { residentBytes, descriptors } of holdings.values()) {
          const note = residentBytes.map((bytes) => Math.round(bytes / MIB)).join(' ');
          expect(residentBytes.length).toBe(HOPS / 2);
          expect(growth(residentBytes), `MiB after each visit: ${note}`).toBeLessThan(
            GROWTH_BYTES_MAX[kind.name === 'portable' ? 'portable' : 'native'],
          );
          expect(growth(descriptors), `descriptors after each visit: ${descriptors.join(' ')}`).toBeLessThan(
            DESCRIPTOR_GROWTH_MAX,
          );
        }
      });
    },
  );
}
