import { GodwitError } from '@godwit/ports';
import { type NativeGuest, type NativeOptions, translated } from './native-guest.ts';

/** What the addon of a guest package offers. */
export interface GuestAddon {
  unavailableBecause(): string | null;
  createGuest(options: NativeOptions): Promise<NativeGuest>;
}

/** Where the addon of a guest package is, and what to say where it is not. */
export interface AddonPlace {
  readonly kind: string;
  readonly packageName: string;
  /** Loads it, or throws. */
  readonly load: () => GuestAddon;
  /** Why there can be none of its guests on other systems than Linux. */
  readonly missingElsewhere: string;
}

type Loaded = { readonly addon: GuestAddon } | { readonly error: unknown };

/** The addon of a guest package, loaded or known to be missing. */
export class LoadedAddon {
  readonly #place: AddonPlace;
  readonly #loaded: Loaded;

  /** Never throws: what fails is told when guests are asked for. */
  constructor(place: AddonPlace) {
    this.#place = place;
    try {
      this.#loaded = { addon: place.load() };
    } catch (error) {
      this.#loaded = { error };
    }
  }

  /** Why no guest can be made here; undefined when one can. */
  unavailableBecause(): string | undefined {
    if (process.platform !== 'linux') return this.#place.missingElsewhere;
    if (!('addon' in this.#loaded)) return `the native module of ${this.#place.packageName} is missing`;
    return this.#loaded.addon.unavailableBecause() ?? undefined;
  }

  /**
   * Makes a guest.
   * @throws GodwitError `ERR_GODWIT_UNSUPPORTED` where something it needs is missing
   */
  async createGuest(options: NativeOptions): Promise<NativeGuest> {
    const reason = this.unavailableBecause();
    const loaded = this.#loaded;
    if (reason !== undefined || !('addon' in loaded)) {
      throw new GodwitError('ERR_GODWIT_UNSUPPORTED', `no guest of kind ${this.#place.kind}: ${reason}`, {
        cause: 'error' in loaded ? loaded.error : undefined,
      });
    }
    return translated(() => loaded.addon.createGuest(options));
  }
}
