import type { DirtyTracker, Guest, PageEncoder, ZeroPageScanner } from '@godwit/ports';
import type { FrameLink } from './frame-link.ts';
import type { InjectedFaults } from './pump.ts';

/** The sender's side of the composition. */
export interface SourceComposition {
  readonly guest: Guest;
  readonly tracker: DirtyTracker | undefined;
  readonly scanner: ZeroPageScanner;
  readonly encoder: PageEncoder | undefined;
}

export interface SourcePumpParts extends SourceComposition {
  readonly link: FrameLink;
  /** Both sides read the same monotonic clock. */
  readonly sameClock: boolean;
  readonly faults: InjectedFaults;
}
