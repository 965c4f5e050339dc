import { createRequire } from 'node:module';
import { type GuestAddon, LoadedAddon } from '@godwit/guest-host';

/** The addon of this package. From `src` as from `dist` its loader lies one folder up. */
export const addon: LoadedAddon = new LoadedAddon({
  kind: 'kvm',
  packageName: '@godwit/guest-kvm',
  load: () => createRequire(import.meta.url)('../native.cjs') as GuestAddon,
  missingElsewhere: 'KVM is a part of Linux',
});
