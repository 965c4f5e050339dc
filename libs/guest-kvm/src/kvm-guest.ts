import {
  type CompleteGuestConfig,
  completeGuestConfig,
  type GuestConfig,
  type GuestContent,
  type GuestWorkload,
  type HostedGuest,
  makeHostedGuest,
  makeHostedTarget,
  type NativeGuest,
  nativeOptions,
} from '@godwit/guest-host';
import { completeKvmHostOptions, type KvmHostOptions } from './host-options.ts';
import { addon } from './native.ts';

/** What a guest runs. */
export type KvmWorkload = GuestWorkload;
/** What resident memory holds. */
export type KvmContent = GuestContent;
/** What travels with a guest: a destination builds the empty twin from it. What is beyond 3 GiB lies from 4 GiB on. */
export type KvmGuestConfig = GuestConfig;
/** A KVM guest: the port, and what this kind of guest can do beyond it. */
export type KvmGuest = HostedGuest;

/** A guest in its entirety: what travels and what belongs to this host. */
export interface KvmGuestOptions extends KvmGuestConfig, KvmHostOptions {
  /** Without program, content and state: for a guest that will arrive. Nothing of its memory is populated. Default false. */
  readonly empty?: boolean;
}

const KIND = 'kvm';

/**
 * Makes a KVM guest, paused. Its resident memory is written beside the JavaScript thread.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where KVM or the native module is missing (`kvmAvailability` says what),
 *   `ERR_GODWIT_NATIVE_FAILED` where a system call fails, as when the cable's file is not there
 * @throws TypeError
 * @throws RangeError
 */
export async function createKvmGuest(options: KvmGuestOptions = {}): Promise<KvmGuest> {
  return makeHostedGuest(KIND, completeGuestConfig(options), maker(options, options.empty === true));
}

/**
 * Makes the empty twin of a guest from the `config` of its description, which may come from a hostile peer.
 * @throws GodwitError `ERR_GODWIT_REFUSED` when there can be no such guest here
 */
export async function restoreTarget(
  config: Readonly<Record<string, unknown>>,
  hostOptions: KvmHostOptions = {},
): Promise<KvmGuest> {
  return makeHostedTarget(KIND, config, maker(hostOptions, true));
}

function maker(options: KvmHostOptions, empty: boolean): (config: CompleteGuestConfig) => Promise<NativeGuest> {
  const host = completeKvmHostOptions(options);
  const recordWrites = host.tracking === 'pagemap-scan';
  const { dirtyRingBytes } = host;
  return (config) => addon.createGuest(nativeOptions(config, host, { empty, recordWrites, dirtyRingBytes }));
}
