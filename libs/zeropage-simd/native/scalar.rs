//! Eight bytes a load, on every processor.

use std::ptr::read_volatile;

use crate::scanner::{BLOCK_BYTES, PROBE_BYTES};

/// Eight bytes at any address.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Lane(u64);

const LANE_BYTES: usize = size_of::<Lane>();
const STRIDE_BYTES: usize = 8 * LANE_BYTES;

/// See [`crate::dispatch::IsZeroPage`].
///
/// # Safety
/// `page_size_bytes` bytes at `page` are readable.
pub unsafe fn is_zero_page(page: *const u8, page_size_bytes: usize) -> bool {
    // SAFETY: the three probes lie in the page, as it has at least 512 bytes.
    let probes = unsafe {
        or_block(page, PROBE_BYTES)
            | or_block(page.add(page_size_bytes / 2), PROBE_BYTES)
            | or_block(page.add(page_size_bytes - PROBE_BYTES), PROBE_BYTES)
    };
    if probes != 0 {
        return false;
    }
    let block_bytes = page_size_bytes.min(BLOCK_BYTES);
    // SAFETY: page and block sizes are powers of two, so the blocks tile the page.
    (0..page_size_bytes)
        .step_by(block_bytes)
        .all(|at| unsafe { or_block(page.add(at), block_bytes) } == 0)
}

/// All lanes of a block, joined by OR without a branch that depends on them.
///
/// # Safety
/// `block_bytes` bytes at `block` are readable; they are a multiple of the stride.
#[inline]
unsafe fn or_block(block: *const u8, block_bytes: usize) -> u64 {
    let mut sums = [0; 4];
    for at in (0..block_bytes).step_by(STRIDE_BYTES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: every load lies in a stride, and the strides tile the block.
            *sum |= unsafe {
                load(block.add(at + 2 * lane * LANE_BYTES)) | load(block.add(at + (2 * lane + 1) * LANE_BYTES))
            };
        }
    }
    sums[0] | sums[1] | sums[2] | sums[3]
}

/// # Safety
/// Eight bytes at `bytes` are readable.
#[inline]
unsafe fn load(bytes: *const u8) -> u64 {
    // SAFETY: the caller vouches for the bytes; the packed type needs no alignment. The read is volatile, as a guest may
    // write the bytes meanwhile: old and new ones will both do.
    unsafe { read_volatile(bytes.cast::<Lane>()) }.0
}
