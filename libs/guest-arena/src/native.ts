import { createRequire } from 'node:module';
import { type NativeGuest, type NativeOptions, translated } from '@godwit/guest-host';
import { GodwitError } from '@godwit/ports';

interface NativeModule {
  unavailableBecause(): string | null;
  createGuest(options: NativeOptions): Promise<NativeGuest>;
}

type Loaded = { readonly module: NativeModule } | { readonly error: unknown };

function load(): Loaded {
  try {
    // From `src` as from `dist` the addon's loader lies one folder up.
    return { module: createRequire(import.meta.url)('../native.cjs') as NativeModule };
  } catch (error) {
    return { error };
  }
}

const loaded: Loaded = load();

/** Why no guest can be made here; undefined when one can. */
export function unavailableBecause(): string | undefined {
  if (process.platform !== 'linux') return 'userfaultfd is a part of Linux';
  if (!('module' in loaded)) return 'the native module of @godwit/guest-arena is missing';
  return loaded.module.unavailableBecause() ?? undefined;
}

/**
 * Makes a guest.
 * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where something it needs is missing
 */
export async function createNativeGuest(options: NativeOptions): Promise<NativeGuest> {
  const reason = unavailableBecause();
  if (reason !== undefined || !('module' in loaded)) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `no arena guest: ${reason}`, {
      cause: 'error' in loaded ? loaded.error : undefined,
    });
  }
  const { module } = loaded;
  return translated(() => module.createGuest(options));
}
