import { type Capsule, type CodedPage, GodwitError, type PageEncoder } from '@godwit/ports';
import { checkBytes, checkPageBytes, checkPageIndex } from './codec-arguments.ts';
import { withCodes } from './coded-failure.ts';
import type { EncoderCore } from './encoder-core.ts';
import { checkCacheBytes, type EncoderPlan } from './encoder-options.ts';
import { type EncoderCounts, statisticsOf, type XbzrleStatistics } from './encoder-statistics.ts';

/** A page encoder that tells what it did. */
export interface XbzrleEncoder extends PageEncoder {
  /**
   * Gives the cache another size; the pages used last stay, as far as they fit. Calls from other threads, through the
   * capsule, wait meanwhile. Both caches are there for a moment.
   * @throws RangeError where it would not hold one page
   * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where there is not enough memory; the cache is as it was
   * @throws GodwitError `ERR_GODWIT_CLOSED`
   */
  resize(cacheBytes: number): void;
  /** What happened so far, through the capsule too; after `close`, what had happened until then. */
  statistics(): XbzrleStatistics;
}

/** Puts the port around an encoder: checks arguments, names outcomes, refuses work after `close`. */
export function createPageEncoder(core: EncoderCore, plan: EncoderPlan): XbzrleEncoder {
  const { pageSizeBytes } = plan;
  let final: EncoderCounts | undefined;
  const checkOpen = (): void => {
    if (final !== undefined) throw new GodwitError('ERR_GODWIT_CLOSED', 'the encoder is closed');
  };
  return {
    ...capsuleOf(core),
    pageSizeBytes,
    encode(page, current, into) {
      checkOpen();
      checkPageIndex(page);
      checkPageBytes('page', current, pageSizeBytes);
      checkBytes('output', into);
      if (into.length < pageSizeBytes) {
        throw new RangeError(`the output has ${into.length} bytes where a page has ${pageSizeBytes}`);
      }
      return codedPage(core.encode(page, current, into), pageSizeBytes);
    },
    forget(page) {
      checkOpen();
      checkPageIndex(page);
      core.forget(page);
    },
    resize(cacheBytes) {
      checkOpen();
      checkCacheBytes(plan, cacheBytes);
      withCodes(() => core.resize(cacheBytes));
    },
    statistics: () => statisticsOf(final ?? core.statistics(), pageSizeBytes),
    close() {
      if (final !== undefined) return;
      final = core.statistics();
      core.close();
    },
  };
}

function capsuleOf({ capsule }: EncoderCore): { readonly capsule?: Capsule<'codec'> } {
  return capsule === undefined ? {} : { capsule };
}

function codedPage(lengthBytes: number, pageSizeBytes: number): CodedPage {
  if (lengthBytes === 0) return { outcome: 'unchanged', lengthBytes };
  return { outcome: lengthBytes === pageSizeBytes ? 'raw' : 'delta', lengthBytes };
}
