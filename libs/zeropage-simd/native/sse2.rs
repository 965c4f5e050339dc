//! SSE2: 16 bytes a load.

use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_setzero_si128};

use crate::lanes::Lanes;
use crate::page_kernel::kernel;

impl Lanes for __m128i {
    const BYTES: usize = size_of::<Self>();
    const STRIDE_BYTES: usize = 16 * Self::BYTES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: every 64-bit x86 processor has SSE2.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller vouches for the bytes.
        unsafe { _mm_loadu_si128(bytes.cast()) }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: every 64-bit x86 processor has SSE2.
        unsafe { _mm_or_si128(self, other) }
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        // SAFETY: every 64-bit x86 processor has SSE2.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self, _mm_setzero_si128())) == 0xffff }
    }
}

kernel!(__m128i, "sse2");
