//! AVX-512: 64 bytes a load.

use std::arch::x86_64::{__m512i, _mm512_loadu_si512, _mm512_or_si512, _mm512_setzero_si512, _mm512_test_epi64_mask};

use crate::lanes::Lanes;
use crate::page_kernel::kernel;

impl Lanes for __m512i {
    const BYTES: usize = size_of::<Self>();
    const STRIDE_BYTES: usize = 4 * Self::BYTES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller vouches for the bytes and for AVX-512F.
        unsafe { _mm512_loadu_si512(bytes.cast()) }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_or_si512(self, other) }
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        // SAFETY: the caller vouches for AVX-512F.
        unsafe { _mm512_test_epi64_mask(self, self) == 0 }
    }
}

kernel!(__m512i, "avx512f");
