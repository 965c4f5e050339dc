import { randomFillSync } from 'node:crypto';
import { durationOf, type FigureRow, rateOf, speedupOf } from './figure-row.ts';
import { timeInterleaved } from './interleaved-timing.ts';
import { check, type MicroContext } from './micro-context.ts';
import { type CodecVariant, PAGE_BYTES } from './xbzrle-codecs.ts';

const PAGES = 512;
const CACHE_BYTES = 2 * PAGES * (PAGE_BYTES + 64);

/**
 * An encoder with its cache whose pages are rewritten as a whole again and again, so that no delta pays: what it gains by
 * noticing that.
 */
export async function adaptiveRows(context: MicroContext, natives: readonly CodecVariant[]): Promise<FigureRow[]> {
  const [variant] = natives;
  if (variant === undefined) return [];
  const contents = [0, 1].map(() => randomFillSync(new Uint8Array(PAGES * PAGE_BYTES)));
  const encoders = [false, true].map((adaptive) =>
    variant.codec.createEncoder({ pageSizeBytes: PAGE_BYTES, cacheBytes: CACHE_BYTES, adaptive }),
  );
  const into = new Uint8Array(PAGE_BYTES);
  try {
    const [plain, adaptive] = await timeInterleaved(
      encoders.map((encoder, index) => {
        let turn = 0;
        return {
          name: index === 0 ? 'always tries' : 'adaptive',
          run() {
            const content = contents[turn++ % 2];
            let rawPages = 0;
            for (let page = 0; page < PAGES; page += 1) {
              const current = content?.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
              if (current !== undefined && encoder.encode(page, current, into).outcome === 'raw') rawPages += 1;
            }
            check(rawPages === PAGES, `${PAGES - rawPages} rewritten pages were sent as deltas`);
          },
        };
      }),
      context.plan,
    );
    if (plain === undefined || adaptive === undefined) return [];
    const name = 'an encoder with its cache, pages rewritten as a whole';
    const rows = [plain, adaptive].map((timing): FigureRow => {
      const limit = context.limits.shareOf('copyL2', rateOf(timing, PAGES * PAGE_BYTES).median);
      const spread = durationOf(timing, 'ns', PAGES);
      return { name, variant: `${variant.name}, ${timing.name}`, backend: 'native', unit: 'ns a page', spread, limit };
    });
    const gain: FigureRow = {
      name: `${name}, adaptive times always trying`,
      variant: variant.name,
      backend: 'native',
      unit: '×',
      spread: speedupOf(adaptive, plain),
    };
    return [...rows, gain];
  } finally {
    for (const encoder of encoders) encoder.close();
  }
}
