import type { TrackerName } from '@godwit/dirty-tracker';
import type { InjectedFaults } from '@godwit/migrator';
import type { Backend, Budget, MigrationEvent, MigrationReport, SelfCheck } from '@godwit/ports';
import type { GuestOptions, GuestPlace } from './guest-kinds.ts';

/** How a host talks to others. */
export interface HostLink {
  readonly transport: string;
  readonly linkBytesPerSecond?: number;
  /** What drives the transport. */
  readonly driver: Backend;
  readonly xbzrle: boolean;
  readonly xbzrleCacheBytes: number;
  /** Defects on purpose. */
  readonly injectedFaults?: InjectedFaults;
}

/** Which of a host's guests: the one it made, or the one that came. */
export type GuestSlot = 'made' | 'arrived';

/** What a guest and its host are found to be. */
export interface Inspection {
  readonly selfCheck: SelfCheck;
  readonly residentBytes: number;
}

/** What a host is asked to do: its argument and its answer, by the command's name. All of it is JSON. */
export interface HostCommands {
  /** Makes a guest and runs it. */
  start: {
    readonly argument: { readonly kind: string; readonly options: GuestOptions; readonly place: GuestPlace };
    readonly answer: { readonly residentBytes: number };
  };
  /** Makes a guest that never runs, to hold as much memory, got in the same way, as one that will arrive. */
  fill: {
    readonly argument: { readonly kind: string; readonly options: GuestOptions };
    readonly answer: { readonly residentBytes: number };
  };
  /** Listens for one guest. */
  listen: {
    readonly argument: { readonly kind: string; readonly place: GuestPlace; readonly link: HostLink };
    readonly answer: { readonly address: string };
  };
  /** Sends the guest away. Events come meanwhile. */
  migrate: {
    readonly argument: {
      readonly address: string;
      readonly link: HostLink;
      readonly strategy: string;
      readonly order?: string;
      readonly chunkMs?: number;
      readonly tracking?: TrackerName;
      readonly budget: Budget;
      readonly verify: boolean;
    };
    readonly answer: MigrationReport;
  };
  /** Waits until a guest has arrived, and until its memory was compared. */
  arrival: { readonly argument: null; readonly answer: null };
  /** Why a guest that was to come here did not, if this host knows. */
  refusal: { readonly argument: null; readonly answer: string | null };
  inspect: { readonly argument: { readonly slot: GuestSlot }; readonly answer: Inspection };
}

/** A command's name. */
export type HostCommand = keyof HostCommands;

/** From the bench to a host. */
export interface HostRequest<Command extends HostCommand = HostCommand> {
  readonly id: number;
  readonly command: Command;
  readonly argument: HostCommands[Command]['argument'];
}

/** From a host to the bench: an answer, a failure, or an event of the migration in progress. */
export type HostMessage =
  | { readonly id: number; readonly answer: unknown }
  | {
      readonly id: number;
      readonly failure: { readonly name: string; readonly code?: string; readonly message: string };
    }
  | { readonly event: MigrationEvent };
