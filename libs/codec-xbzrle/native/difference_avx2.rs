//! Where two pages differ, 32 bytes at a time.

use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8};

use crate::difference::MASK_BYTES;

/// See [`crate::difference::FindDifferences`].
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub unsafe fn find_differences(old: &[u8], new: &[u8], masks: &mut [u64]) -> bool {
    let mut any = 0;
    let blocks = old.chunks_exact(MASK_BYTES).zip(new.chunks_exact(MASK_BYTES));
    for (mask, (old, new)) in masks.iter_mut().zip(blocks) {
        // SAFETY: both blocks have 64 bytes, 32 from either place.
        let (low, high) = unsafe {
            (
                equal_bytes(old.as_ptr(), new.as_ptr()),
                equal_bytes(old.as_ptr().add(32), new.as_ptr().add(32)),
            )
        };
        *mask = !(u64::from(low) | (u64::from(high) << 32));
        any |= *mask;
    }
    any != 0
}

/// One bit for each of 32 bytes that is equal in both.
///
/// # Safety
/// 32 bytes at both places are readable.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn equal_bytes(old: *const u8, new: *const u8) -> u32 {
    // SAFETY: the caller vouches for the bytes; the loads need no alignment.
    let (old, new) = unsafe { (_mm256_loadu_si256(old.cast()), _mm256_loadu_si256(new.cast())) };
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(old, new)) as u32
}
