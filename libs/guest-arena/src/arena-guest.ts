import {
  type CompleteGuestConfig,
  completeGuestConfig,
  completeHostOptions,
  type GuestConfig,
  type GuestContent,
  type GuestHostOptions,
  type GuestWorkload,
  type HostedGuest,
  makeHostedGuest,
  makeHostedTarget,
  type NativeGuest,
  nativeOptions,
} from '@godwit/guest-host';
import { addon } from './native.ts';

/** What a guest runs. */
export type ArenaWorkload = GuestWorkload;
/** What resident memory holds. */
export type ArenaContent = GuestContent;
/** What travels with a guest: a destination builds the empty twin from it. */
export type ArenaGuestConfig = GuestConfig;
/** What concerns only the host a guest is made on. */
export type ArenaHostOptions = GuestHostOptions;
/** An arena guest: the port, and what this kind of guest can do beyond it. */
export type ArenaGuest = HostedGuest;

/** A guest in its entirety: what travels and what belongs to this host. */
export interface ArenaGuestOptions extends ArenaGuestConfig, ArenaHostOptions {
  /** Without content and state: for a guest that will arrive. Nothing of its memory is populated. Default false. */
  readonly empty?: boolean;
}

const KIND = 'arena';

/**
 * Makes an arena guest, paused. Its resident memory is written beside the JavaScript thread.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where userfaultfd or the native module is missing (`arenaAvailability` says
 *   what), `ERR_GODWIT_NATIVE_FAILED` where a system call fails, as when the cable's file is not there
 * @throws TypeError
 * @throws RangeError
 */
export async function createArenaGuest(options: ArenaGuestOptions = {}): Promise<ArenaGuest> {
  return makeHostedGuest(KIND, completeGuestConfig(options), maker(options, options.empty === true));
}

/**
 * Makes the empty twin of a guest from the `config` of its description, which may come from a hostile peer.
 * @throws GodwitError `ERR_GODWIT_REFUSED` when there can be no such guest here
 */
export async function restoreTarget(
  config: Readonly<Record<string, unknown>>,
  hostOptions: ArenaHostOptions = {},
): Promise<ArenaGuest> {
  return makeHostedTarget(KIND, config, maker(hostOptions, true));
}

function maker(options: ArenaHostOptions, empty: boolean): (config: CompleteGuestConfig) => Promise<NativeGuest> {
  const host = completeHostOptions(options);
  return (config) => addon.createGuest(nativeOptions(config, host, { empty, recordWrites: true }));
}
