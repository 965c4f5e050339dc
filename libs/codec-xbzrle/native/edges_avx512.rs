//! The edges of runs, 64 bytes at a time.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_castsi512_si128, _mm512_cmpneq_epi8_mask,
    _mm512_cvtepu8_epi32, _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_or_si512,
    _mm512_popcnt_epi64, _mm512_reduce_add_epi64, _mm512_set1_epi32, _mm512_setr_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_test_epi64_mask,
    _mm512_xor_si512,
};
use std::mem::MaybeUninit;

use crate::edges::{BLOCK_BYTES, CHUNK_BYTES, Comparison, Edges, LINE_BYTES};

const BLOCK_LINES: usize = BLOCK_BYTES / LINE_BYTES;
const CHUNK_LINES: usize = CHUNK_BYTES / LINE_BYTES;
/// The truth table of `a | (b ^ c)`.
const OR_OF_XOR: i32 = 0b1111_0110;

static OFFSETS: [u8; LINE_BYTES] = {
    let mut offsets = [0; LINE_BYTES];
    let mut at = 0;
    while at < LINE_BYTES {
        offsets[at] = at as u8;
        at += 1;
    }
    offsets
};

/// See [`crate::edges::FindEdges`].
///
/// # Safety
/// As there; the processor has AVX-512 F, BW, VBMI2 and VPOPCNTDQ.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx512vpopcntdq,bmi1,bmi2,popcnt")]
pub unsafe fn find_edges(comparison: Comparison) -> Edges {
    // SAFETY: the caller vouches for all that the two demand.
    unsafe {
        if comparison.become_new.is_null() {
            find::<false>(comparison)
        } else {
            find::<true>(comparison)
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx512vpopcntdq,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn find<const LIVE: bool>(comparison: Comparison) -> Edges {
    let mut walk = Walk {
        last: _mm512_setzero_si512(),
        is_open: false,
        delta_bytes: _mm512_setzero_si512(),
        count: 0,
    };
    let mut edges = MaybeUninit::<[u64; CHUNK_LINES]>::uninit();
    let words = edges.as_mut_ptr().cast::<u64>();
    for chunk_at in (0..comparison.page_bytes).step_by(CHUNK_BYTES) {
        let chunk_bytes = CHUNK_BYTES.min(comparison.page_bytes - chunk_at);
        let mut lines = 0;
        for at in (0..chunk_bytes).step_by(BLOCK_BYTES) {
            let line = at / LINE_BYTES;
            // SAFETY: the block lies within both pages, and the chunk has words for its lines.
            lines |= unsafe { find_in_block::<LIVE>(&comparison, &mut walk, chunk_at + at, words.add(line)) } << line;
            if walk.delta_bytes_min() > comparison.delta_bytes_max {
                return Edges::TooMany;
            }
        }
        // SAFETY: there are no more edges than bytes, for which the caller vouches there is room.
        unsafe { walk.count += write_positions(words, lines, chunk_at, comparison.positions.add(walk.count)) };
    }
    let changed_bytes = walk.delta_bytes_min() - walk.count;
    if walk.is_open {
        // SAFETY: as above, and for one more.
        unsafe { comparison.positions.add(walk.count).write(comparison.page_bytes as u32) };
        walk.count += 1;
    }
    if changed_bytes + walk.count > comparison.delta_bytes_max {
        return Edges::TooMany;
    }
    Edges::Found {
        count: walk.count,
        changed_bytes,
    }
}

/// What is known while the kernel goes over a page.
struct Walk {
    /// The words of the lines before, of what differs.
    last: __m512i,
    /// The last byte before differs.
    is_open: bool,
    /// In some lanes or other: the bytes that differ, and one for each edge.
    delta_bytes: __m512i,
    /// Edges whose positions have been written.
    count: usize,
}

impl Walk {
    /// No delta is shorter.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn delta_bytes_min(&self) -> usize {
        _mm512_reduce_add_epi64(self.delta_bytes) as usize
    }
}

/// Finds the edges in a block: a bit for each line that has any, and in `words` where in the line they are.
///
/// # Safety
/// The block lies within both pages, and the words of its lines are writable.
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
#[inline]
unsafe fn find_in_block<const LIVE: bool>(comparison: &Comparison, walk: &mut Walk, at: usize, words: *mut u64) -> u64 {
    // SAFETY: the caller vouches for the block and the words.
    unsafe {
        let mut old = [_mm512_setzero_si512(); BLOCK_LINES];
        let mut new = [_mm512_setzero_si512(); BLOCK_LINES];
        let mut any = _mm512_setzero_si512();
        for line in 0..BLOCK_LINES {
            let from = comparison.new.add(at + line * LINE_BYTES).cast::<__m512i>();
            // Loaded once, whatever the compiler would rather do: a guest may write it.
            new[line] = if LIVE {
                from.read_volatile()
            } else {
                _mm512_loadu_si512(from)
            };
            old[line] = _mm512_loadu_si512(comparison.old.add(at + line * LINE_BYTES).cast());
            any = _mm512_ternarylogic_epi64::<OR_OF_XOR>(any, new[line], old[line]);
        }
        if _mm512_test_epi64_mask(any, any) == 0 && !walk.is_open {
            walk.last = _mm512_setzero_si512();
            return 0;
        }
        let mut differing = [0; BLOCK_LINES];
        for line in 0..BLOCK_LINES {
            differing[line] = _mm512_cmpneq_epi8_mask(old[line], new[line]) as i64;
            if LIVE {
                let to = comparison.become_new.add(at + line * LINE_BYTES);
                _mm512_storeu_si512(to.cast(), new[line]);
            }
        }
        walk.is_open = differing[BLOCK_LINES - 1] < 0;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = differing;
        let differing = _mm512_setr_epi64(d0, d1, d2, d3, d4, d5, d6, d7);
        let before = _mm512_alignr_epi64::<7>(differing, walk.last);
        walk.last = differing;
        let follows = _mm512_or_si512(_mm512_slli_epi64::<1>(differing), _mm512_srli_epi64::<63>(before));
        let edges = _mm512_xor_si512(differing, follows);
        _mm512_storeu_si512(words.cast(), edges);
        let bytes = _mm512_add_epi64(_mm512_popcnt_epi64(differing), _mm512_popcnt_epi64(edges));
        walk.delta_bytes = _mm512_add_epi64(walk.delta_bytes, bytes);
        u64::from(_mm512_test_epi64_mask(edges, edges))
    }
}

/// Writes down the edges of a chunk's lines; returns how many.
///
/// # Safety
/// The positions have room for all of them, and for [`crate::edges::EDGE_SLACK`] more.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn write_positions(words: *const u64, mut lines: u64, chunk_at: usize, positions: *mut u32) -> usize {
    let mut written = 0;
    // SAFETY: the caller vouches for the room; the lines named have words.
    unsafe {
        let offsets = _mm512_loadu_si512(OFFSETS.as_ptr().cast());
        while lines != 0 {
            let line = lines.trailing_zeros() as usize;
            lines &= lines - 1;
            let edges = *words.add(line);
            let count = edges.count_ones() as usize;
            let positions = positions.add(written);
            let at = _mm512_set1_epi32((chunk_at + line * LINE_BYTES) as i32);
            let offsets = _mm512_maskz_compress_epi8(edges, offsets);
            let first = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(offsets));
            _mm512_storeu_si512(positions.cast(), _mm512_add_epi32(first, at));
            if count > 16 {
                let second = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<1>(offsets));
                _mm512_storeu_si512(positions.add(16).cast(), _mm512_add_epi32(second, at));
            }
            if count > 32 {
                let third = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<2>(offsets));
                _mm512_storeu_si512(positions.add(32).cast(), _mm512_add_epi32(third, at));
                let fourth = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<3>(offsets));
                _mm512_storeu_si512(positions.add(48).cast(), _mm512_add_epi32(fourth, at));
            }
            written += count;
        }
    }
    written
}
