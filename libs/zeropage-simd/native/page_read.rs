//! Pages read to their end.

use crate::lanes::Lanes;
use crate::prefetch::prefetch_near;

/// A page is read in parts of this size, with a look at the result behind each.
pub const PART_BYTES: usize = 4096;
/// Independent chains of ORs. Two would do for the latency of an OR; with eight the same loop read a fifth less from cache
/// (AVX-512, Zen 5).
const CHAINS: usize = 4;
/// Of a cache line.
const LINE_BYTES: usize = 64;

/// # Safety
/// The page is readable; its size is a power of two of at least 512.
#[inline(always)]
pub unsafe fn is_zero_page<L: Lanes>(page: *const u8, size: usize) -> bool {
    if size <= PART_BYTES {
        // SAFETY: the page is a part.
        return unsafe { or_part::<L>(page, size).is_zero() };
    }
    let mut at = 0;
    while at < size {
        // SAFETY: page and part sizes are powers of two, so the parts tile the page.
        if unsafe { !or_part::<L>(page.add(at), PART_BYTES).is_zero() } {
            return false;
        }
        at += PART_BYTES;
    }
    true
}

/// All lanes of a part, joined by OR without a branch that depends on them.
///
/// # Safety
/// `bytes` bytes (a multiple of the stride, at least one) at `part` are readable; the instruction set is there.
#[inline(always)]
unsafe fn or_part<L: Lanes>(part: *const u8, bytes: usize) -> L {
    // SAFETY: every load lies in a stride, and the strides tile the part.
    unsafe {
        let mut chains = [L::zero(); CHAINS];
        let mut stride = part;
        let end = part.add(bytes);
        loop {
            or_stride(stride, &mut chains);
            stride = stride.add(L::STRIDE_BYTES);
            if stride >= end {
                return joined(chains);
            }
        }
    }
}

/// As [`is_zero_page`] for a page of one part, fetching the page that will be read after it alongside.
///
/// # Safety
/// The first page is readable; its size is at most [`PART_BYTES`]; the instruction set is there.
#[inline(always)]
pub unsafe fn is_zero_page_before<L: Lanes>(page: *const u8, size: usize, next: *const u8) -> bool {
    // SAFETY: every load lies in a stride, and the strides tile the page.
    unsafe {
        let mut chains = [L::zero(); CHAINS];
        let mut at = 0;
        // The size is a variable, so that the compiler leaves the loop as it is: see [`Lanes::STRIDE_BYTES`].
        while at < size {
            or_stride(page.add(at), &mut chains);
            let mut line = at;
            while line < at + L::STRIDE_BYTES {
                prefetch_near(next.wrapping_add(line));
                line += LINE_BYTES;
            }
            at += L::STRIDE_BYTES;
        }
        joined(chains).is_zero()
    }
}

/// # Safety
/// A stride of bytes at `stride` is readable; the instruction set is there.
#[inline(always)]
unsafe fn or_stride<L: Lanes>(stride: *const u8, chains: &mut [L; CHAINS]) {
    for lane in 0..L::STRIDE_BYTES / L::BYTES {
        // SAFETY: the load lies in the stride.
        unsafe { chains[lane % CHAINS] = chains[lane % CHAINS].or(L::load(stride.add(lane * L::BYTES))) };
    }
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn joined<L: Lanes>([a, b, c, d]: [L; CHAINS]) -> L {
    // SAFETY: handed through.
    unsafe { a.or(b).or(c.or(d)) }
}

/// See [`crate::page_kernel::Kernel::first_non_zero`].
///
/// # Safety
/// `size` bytes (a power of two, at least 512) at `page` are readable.
#[inline(always)]
pub unsafe fn first_non_zero<L: Lanes>(page: *const u8, size: usize) -> usize {
    for stride in (0..size).step_by(L::STRIDE_BYTES) {
        // SAFETY: the strides tile the page, and the words the stride.
        unsafe {
            let mut chains = [L::zero(); CHAINS];
            or_stride(page.add(stride), &mut chains);
            if joined(chains).is_zero() {
                continue;
            }
            // A byte that somebody cleared meanwhile is not found again, and the search goes on behind the stride.
            for at in (stride..stride + L::STRIDE_BYTES).step_by(size_of::<u64>()) {
                let word = page.add(at).cast::<u64>().read_unaligned().to_le();
                if word != 0 {
                    return at + word.trailing_zeros() as usize / 8;
                }
            }
        }
    }
    size
}
