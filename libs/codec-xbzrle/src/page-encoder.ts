import { type Capsule, type CodedPage, GodwitError, type PageEncoder } from '@godwit/ports';
import { checkBytes, checkPageBytes, checkPageIndex } from './codec-arguments.ts';
import type { EncoderCore } from './encoder-core.ts';
import { type EncoderCounts, statisticsOf, type XbzrleStatistics } from './encoder-statistics.ts';

/** A page encoder that tells what it did. */
export interface XbzrleEncoder extends PageEncoder {
  /** What happened so far, through the capsule too; after `close`, what had happened until then. */
  statistics(): XbzrleStatistics;
}

/** Puts the port around an encoder: checks arguments, names outcomes, refuses work after `close`. */
export function createPageEncoder(core: EncoderCore, pageSizeBytes: number): XbzrleEncoder {
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
