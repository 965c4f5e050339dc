import type { Guest, PageDecoder } from '@godwit/ports';
import type { FrameLink } from './frame-link.ts';
import type { InjectedFaults } from './pump.ts';

/** The receiver's side of the composition. */
export interface DestinationPumpParts {
  readonly guest: Guest;
  readonly decoder: PageDecoder | undefined;
  readonly link: FrameLink;
  readonly verify: boolean;
  readonly session: string;
  /** As HELLO announced it: no other can start here. */
  readonly epoch: number;
  readonly journalPath: string | undefined;
  readonly faults: InjectedFaults;
}
