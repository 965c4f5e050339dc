import { PageSet } from '@godwit/page-set';
import type { Capsule, GuestMemory, PageBitmap } from '@godwit/ports';
import { type NativeGuest, translated } from './native-guest.ts';

/** The memory of a native guest. Its bytes never enter the JavaScript heap: `capsule` is the way to them. */
export class HostedMemory implements GuestMemory {
  readonly pageSizeBytes = 4096;
  readonly pageCount: number;
  readonly capsule: Capsule<'memory'>;
  readonly #native: () => NativeGuest;

  /** `native` gives the guest, or throws when it is closed. */
  constructor(native: () => NativeGuest, memoryBytes: number) {
    this.#native = native;
    this.pageCount = memoryBytes / this.pageSizeBytes;
    this.capsule = native().memoryCapsule();
  }

  async present(into: PageBitmap): Promise<number> {
    if (into.pageCount !== this.pageCount) {
      throw new RangeError(`a bitmap over ${into.pageCount} pages for a memory of ${this.pageCount}`);
    }
    const present = PageSet.empty(this.pageCount);
    const count = await translated(() => this.#native().present(present.words));
    PageSet.of(into).or(present);
    return count;
  }
}
