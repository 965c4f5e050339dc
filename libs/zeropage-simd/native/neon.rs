//! NEON: 16 bytes a load, on every 64-bit Arm processor.

use std::arch::aarch64::{uint8x16_t, vdupq_n_u8, vld1q_u8, vmaxvq_u32, vorrq_u8, vreinterpretq_u32_u8};

use crate::lanes::Lanes;
use crate::page_kernel::kernel;

impl Lanes for uint8x16_t {
    const BYTES: usize = size_of::<Self>();
    const STRIDE_BYTES: usize = 16 * Self::BYTES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for NEON.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller vouches for the bytes and for NEON.
        unsafe { vld1q_u8(bytes) }
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the caller vouches for NEON.
        unsafe { vorrq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        // SAFETY: the caller vouches for NEON.
        unsafe { vmaxvq_u32(vreinterpretq_u32_u8(self)) == 0 }
    }
}

kernel!(uint8x16_t, "neon");
