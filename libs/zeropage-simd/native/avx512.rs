//! AVX-512: 64 bytes a load.

use std::arch::x86_64::{__m512i, _mm512_loadu_si512, _mm512_or_si512, _mm512_test_epi64_mask};

use crate::scanner::{BLOCK_BYTES, PROBE_BYTES};

const LANE_BYTES: usize = size_of::<__m512i>();
const STRIDE_BYTES: usize = 8 * LANE_BYTES;

/// See [`crate::dispatch::IsZeroPage`].
///
/// # Safety
/// `page_size_bytes` bytes at `page` are readable; the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub unsafe fn is_zero_page(page: *const u8, page_size_bytes: usize) -> bool {
    // SAFETY: the three probes lie in the page, as it has at least 512 bytes.
    let probes = unsafe {
        let outer = _mm512_or_si512(load(page), load(page.add(page_size_bytes - PROBE_BYTES)));
        _mm512_or_si512(outer, load(page.add(page_size_bytes / 2)))
    };
    if !is_zero(probes) {
        return false;
    }
    let block_bytes = page_size_bytes.min(BLOCK_BYTES);
    // SAFETY: page and block sizes are powers of two, so the blocks tile the page.
    (0..page_size_bytes)
        .step_by(block_bytes)
        .all(|at| is_zero(unsafe { or_block(page.add(at), block_bytes) }))
}

/// All lanes of a block, joined by OR without a branch that depends on them.
///
/// # Safety
/// `block_bytes` bytes at `block` are readable; they are a multiple of the stride.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn or_block(block: *const u8, block_bytes: usize) -> __m512i {
    // SAFETY: every load lies in a stride, and the strides tile the block.
    unsafe {
        let mut sums = [load(block), load(block), load(block), load(block)];
        for at in (0..block_bytes).step_by(STRIDE_BYTES) {
            let stride = block.add(at);
            for (lane, sum) in sums.iter_mut().enumerate() {
                let pair = _mm512_or_si512(
                    load(stride.add(2 * lane * LANE_BYTES)),
                    load(stride.add((2 * lane + 1) * LANE_BYTES)),
                );
                *sum = _mm512_or_si512(*sum, pair);
            }
        }
        _mm512_or_si512(_mm512_or_si512(sums[0], sums[1]), _mm512_or_si512(sums[2], sums[3]))
    }
}

/// # Safety
/// 64 bytes at `bytes` are readable.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load(bytes: *const u8) -> __m512i {
    // SAFETY: the caller vouches for the bytes; the load needs no alignment. It goes through a raw pointer, so no
    // reference claims that the bytes do not change: a guest may write them, and old and new ones will both do.
    unsafe { _mm512_loadu_si512(bytes.cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn is_zero(lanes: __m512i) -> bool {
    _mm512_test_epi64_mask(lanes, lanes) == 0
}
