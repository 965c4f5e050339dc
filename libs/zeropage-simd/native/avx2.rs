//! AVX2: 32 bytes a load.

use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_or_si256, _mm256_setzero_si256, _mm256_testz_si256};

use crate::lanes::Lanes;
use crate::page_kernel::kernel;

impl Lanes for __m256i {
    const BYTES: usize = size_of::<Self>();
    const STRIDE_BYTES: usize = 16 * Self::BYTES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller vouches for the bytes and for AVX2.
        unsafe { _mm256_loadu_si256(bytes.cast()) }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_or_si256(self, other) }
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        // SAFETY: the caller vouches for AVX2.
        unsafe { _mm256_testz_si256(self, self) == 1 }
    }
}

kernel!(__m256i, "avx2");
