/** What one round moved, as far as the stop rule looks at it. */
export interface RoundMeasurement {
  /** Pages sent. */
  readonly pages: number;
  /** Those of them that were sent whole, neither as zero nor as a delta. */
  readonly rawPages: number;
  /** On the wire, headers included. */
  readonly bytes: number;
  /** Spent in `send`: encoding, sending and installing, without collecting. */
  readonly sendMs: number;
  /** Pages pending when the round was over: written since they were last sent, or skipped because of it. */
  readonly dirtyPages: number;
}

/** What is expected of pages that are sent again. */
export interface SendCost {
  readonly bytesPerPage: number;
  readonly msPerPage: number;
}

/** The link as it is. */
export interface LinkFacts {
  readonly pageSizeBytes: number;
  /** In bytes a second where it is known beforehand. */
  readonly linkBytesPerSecond: number | undefined;
}

/** Fewer pages than this say more about the turn of a round than about its pages. */
const SAMPLE_PAGES = 64;
/** Taken for the link as long as nothing was sent and nobody knows better: a little less than 10 Gb/s. */
const ASSUMED_BYTES_PER_MS = 1_000_000;

/**
 * What the next pages will cost, from what the last ones did. Re-sent pages are the best witnesses: XBZRLE makes of them
 * what it will make of the pending ones, because mostly they are the same. So the newest rounds after round 0 are pooled,
 * newest first, until they have 64 pages. Before there are such, pages are taken to go whole, at the pace round 0 had if
 * at least half of it went whole (zero pages say nothing of a link), else at the link's own rate. No page is expected to
 * go faster than the link.
 */
export function measureSendCost(rounds: readonly RoundMeasurement[], link: LinkFacts): SendCost {
  const linkBytesPerMs = link.linkBytesPerSecond === undefined ? undefined : link.linkBytesPerSecond / 1000;
  let [pages, bytes, sendMs] = [0, 0, 0];
  for (let index = rounds.length - 1; index >= 1 && pages < SAMPLE_PAGES; index--) {
    const round = rounds[index];
    if (round === undefined) continue;
    pages += round.pages;
    bytes += round.bytes;
    sendMs += round.sendMs;
  }
  if (pages > 0) {
    const bytesPerPage = bytes / pages;
    return { bytesPerPage, msPerPage: atLinkRate(sendMs / pages, bytesPerPage, linkBytesPerMs) };
  }
  const bytesPerPage = link.pageSizeBytes;
  const first = rounds[0];
  if (first !== undefined && first.rawPages >= SAMPLE_PAGES && first.rawPages * 2 >= first.pages) {
    return { bytesPerPage, msPerPage: atLinkRate(first.sendMs / first.rawPages, bytesPerPage, linkBytesPerMs) };
  }
  return { bytesPerPage, msPerPage: bytesPerPage / (linkBytesPerMs ?? ASSUMED_BYTES_PER_MS) };
}

function atLinkRate(msPerPage: number, bytesPerPage: number, linkBytesPerMs: number | undefined): number {
  return linkBytesPerMs === undefined ? msPerPage : Math.max(msPerPage, bytesPerPage / linkBytesPerMs);
}
