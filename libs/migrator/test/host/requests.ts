import type { MigrationReport, SelfCheck } from '@godwit/ports';
import type { InjectedFaults } from '../../src/index.ts';
import type { GuestRequest } from './guest-kinds.ts';

/** What a host process is asked, and what it answers. */
export interface HostRequests {
  create: { readonly params: { readonly kind: string } & GuestRequest; readonly result: undefined };
  listen: {
    readonly params: {
      readonly kind: string;
      readonly cablePath?: string;
      readonly journalPath?: string;
      readonly token?: string;
      readonly memoryLimitBytes?: number;
      readonly injectedFaults?: InjectedFaults;
      readonly timeoutMs?: number;
    };
    readonly result: { readonly address: string };
  };
  migrate: {
    readonly params: {
      readonly address: string;
      readonly strategy?: 'pre-copy' | 'stop-and-copy' | 'rewritten';
      readonly encode?: boolean;
      readonly linkBytesPerSecond?: number;
      readonly token?: string;
      readonly reconnectMs?: number;
      readonly timeoutMs?: number;
      /** With the pid of the destination, a fence over this journal is used. */
      readonly journalPath?: string;
      readonly destinationPid?: number;
      /** Cancel when this round has begun. */
      readonly cancelInRound?: number;
      readonly injectedFaults?: InjectedFaults;
    };
    readonly result: MigrationReport;
  };
  /** Waits for the next guest to arrive and takes it as this host's own. */
  arrival: {
    readonly params: Record<string, never>;
    readonly result: { readonly mismatchedPages: number | undefined };
  };
  look: {
    readonly params: Record<string, never>;
    readonly result: { readonly running: boolean; readonly selfCheck: SelfCheck };
  };
  /** What this process holds: memory, and open descriptors. */
  holdings: {
    readonly params: Record<string, never>;
    readonly result: { readonly residentBytes: number; readonly descriptors: number };
  };
  closeGuest: { readonly params: Record<string, never>; readonly result: undefined };
}

export type HostRequestName = keyof HostRequests;
