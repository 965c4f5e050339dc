import type { Backend } from '@godwit/ports';
import { nativeIsLoaded, nativeLoadError } from './native.ts';

/** Whether the trackers that ask the kernel can be used in this process. What a memory lacks they say themselves. */
export interface NativeAvailability {
  readonly available: boolean;
  /** `native` where they can, else `typescript`: only software marks and comparison are left. */
  readonly backend: Backend;
  /** What is missing, in words; empty when nothing is. */
  readonly reason: string;
}

/** Looks whether the native trackers (`pagemap-scan`, `kvm-dirty-log`, `kvm-dirty-ring`) can be used: on Linux, with the native module. */
export function nativeAvailability(): NativeAvailability {
  if (nativeIsLoaded) return { available: true, backend: 'native', reason: '' };
  const reason =
    process.platform === 'linux'
      ? `the native module is missing: ${nativeLoadError instanceof Error ? nativeLoadError.message : String(nativeLoadError)}`
      : 'PAGEMAP_SCAN and KVM are parts of Linux';
  return { available: false, backend: 'typescript', reason };
}
