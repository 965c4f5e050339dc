//! Eight bytes a load, on every processor.

use std::ptr::read_volatile;

use crate::lanes::Lanes;
use crate::page_kernel::kernel;

/// Eight bytes at any address.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Bytes(u64);

impl Lanes for u64 {
    const BYTES: usize = size_of::<Self>();
    const STRIDE_BYTES: usize = 16 * Self::BYTES;

    #[inline(always)]
    unsafe fn zero() -> Self {
        0
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller vouches for the bytes; the packed type needs no alignment. The read is volatile, so that the
        // compiler does not make the instructions of another set of it.
        unsafe { read_volatile(bytes.cast::<Bytes>()) }.0
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        self == 0
    }
}

kernel!(u64);

/// How far the search looks before it looks at what it found.
const SEARCH_BYTES: usize = 128;

/// The offset of the first byte that is not zero, of bytes in any number.
///
/// # Safety
/// `length` bytes at `bytes` are readable.
pub unsafe fn first_non_zero_in(bytes: *const u8, length: usize) -> Option<usize> {
    let mut at = 0;
    while at < length {
        let part_bytes = SEARCH_BYTES.min(length - at);
        // SAFETY: the part lies in the range.
        if let Some(offset) = unsafe { first_non_zero_in_part(bytes.add(at), part_bytes) } {
            return Some(at + offset);
        }
        at += part_bytes;
    }
    None
}

/// # Safety
/// As [`first_non_zero_in`].
unsafe fn first_non_zero_in_part(bytes: *const u8, length: usize) -> Option<usize> {
    let words = || (0..length / u64::BYTES * u64::BYTES).step_by(u64::BYTES);
    // SAFETY: every word lies in the part.
    if words().fold(0, |sum, at| sum | unsafe { u64::load(bytes.add(at)) }) == 0 {
        let tail = length / u64::BYTES * u64::BYTES..length;
        // SAFETY: every byte lies in the part.
        return tail
            .into_iter()
            .find(|&at| unsafe { read_volatile(bytes.add(at)) } != 0);
    }
    // SAFETY: every byte lies in the part.
    (0..length).find(|&at| unsafe { read_volatile(bytes.add(at)) } != 0)
}
