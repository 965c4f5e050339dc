//! Where two pages differ, 64 bytes at a time.

use std::arch::x86_64::{_mm512_cmpneq_epi8_mask, _mm512_loadu_si512};

use crate::difference::MASK_BYTES;

/// See [`crate::difference::FindDifferences`].
///
/// # Safety
/// The processor has AVX-512F and AVX-512BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub unsafe fn find_differences(old: &[u8], new: &[u8], masks: &mut [u64]) -> bool {
    let mut any = 0;
    let blocks = old.chunks_exact(MASK_BYTES).zip(new.chunks_exact(MASK_BYTES));
    for (mask, (old, new)) in masks.iter_mut().zip(blocks) {
        // SAFETY: both blocks have 64 bytes; the loads need no alignment.
        let (old, new) = unsafe {
            (
                _mm512_loadu_si512(old.as_ptr().cast()),
                _mm512_loadu_si512(new.as_ptr().cast()),
            )
        };
        *mask = _mm512_cmpneq_epi8_mask(old, new);
        any |= *mask;
    }
    any != 0
}
