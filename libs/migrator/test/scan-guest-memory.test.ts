import { arenaAvailability, createArenaGuest } from '@godwit/guest-arena';
import { PageSet } from '@godwit/page-set';
import { isGodwitError, type ScanStatistics } from '@godwit/ports';
import { availableIsas, createZeroPageScanner } from '@godwit/zeropage-simd';
import { describe, expect, it } from 'vitest';

const MIB = 2 ** 20;
const { available, reason } = arenaAvailability();
const skipped = availableIsas().length === 0 ? 'the native scanner is missing' : reason;

const options = { memoryBytes: 1024 * MIB, residentBytes: 64 * MIB, content: 'mixed' } as const;

describe.skipIf(!available || availableIsas().length === 0)(
  `the memory of an arena guest${skipped === '' ? '' : ` (skipped: ${skipped})`}`,
  () => {
    it('is scanned by its capsule, where it is populated', async () => {
      await using guest = await createArenaGuest(options);
      const { memory } = guest;
      const present = PageSet.empty(memory.pageCount);
      const presentCount = await memory.present(present);
      const scanner = createZeroPageScanner();
      const zero = PageSet.empty(memory.pageCount);
      let heard: ScanStatistics | undefined;
      const onStatistics = (statistics: ScanStatistics): void => {
        heard = statistics;
      };
      scanner.scan(memory, memory.pageSizeBytes, zero, { onStatistics });
      expect(heard?.untouchedPageCount).toBeGreaterThan(memory.pageCount - presentCount - 1024);
      const nonZero = PageSet.full(memory.pageCount).subtract(zero);
      expect(nonZero.count()).toBeGreaterThan(1024);
      expect(nonZero.clone().subtract(present).count()).toBe(0);
      for (const untouched of ['read', 'pagemap'] as const) {
        const again = PageSet.empty(memory.pageCount);
        expect(
          await scanner.scanAsync(memory, memory.pageSizeBytes, again, { untouched, threads: 2, onStatistics }),
        ).toBe(zero.count());
        expect(again.equals(zero)).toBe(true);
        expect(heard?.beside).toBe(true);
      }
      expect(() => scanner.scan(memory, memory.pageSizeBytes, PageSet.empty(7))).toThrow(RangeError);
      expect(() => scanner.scan(memory, 2 ** 29, PageSet.empty(2), { threads: 0 })).toThrow(RangeError);
      const portable = createZeroPageScanner({ backend: 'typescript' });
      expect(() => portable.scan(memory, memory.pageSizeBytes, zero)).toThrow(
        expect.toSatisfy((error) => isGodwitError(error, 'ERR_GODWIT_UNSUPPORTED')),
      );
    });

    it('stays where it is while it is scanned, though the guest is closed', async () => {
      const guest = await createArenaGuest(options);
      const { memory } = guest;
      const { pageCount, pageSizeBytes } = memory;
      const scanner = createZeroPageScanner();
      const scans = [1, 2, 3].map((threads) =>
        scanner.scanAsync(memory, pageSizeBytes, PageSet.empty(pageCount), { threads, untouched: 'read' }),
      );
      await guest.close();
      for (const zeroPages of await Promise.all(scans)) expect(zeroPages).toBeLessThanOrEqual(pageCount);
      // Closed memory is refused, or reads as zero where somebody still holds it.
      const into = PageSet.empty(pageCount);
      await scanner.scanAsync(memory, pageSizeBytes, into).catch((error: unknown) => {
        expect(isGodwitError(error)).toBe(true);
      });
    });

    it('ends a scan in the middle, and then nobody looks at it any more', async () => {
      await using guest = await createArenaGuest(options);
      const { memory } = guest;
      const controller = new AbortController();
      const into = PageSet.full(memory.pageCount);
      const scan = createZeroPageScanner().scanAsync(memory, memory.pageSizeBytes, into, {
        signal: controller.signal,
        untouched: 'read',
      });
      const why = new Error('enough');
      setImmediate(() => controller.abort(why));
      await expect(scan).rejects.toBe(why);
      expect(into.count()).toBe(0);
    });
  },
);
