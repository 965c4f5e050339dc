//! The edges of runs, 64 bytes at a time.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_and_si512, _mm512_andnot_si512,
    _mm512_castsi512_si128, _mm512_cmplt_epu32_mask, _mm512_cmpneq_epi8_mask, _mm512_cvtepu8_epi32,
    _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_maskz_compress_epi32,
    _mm512_or_si512, _mm512_popcnt_epi64, _mm512_reduce_add_epi64, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setr_epi32, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_test_epi64_mask, _mm512_xor_si512,
};

use crate::edges::{BLOCK_BYTES, Comparison, Edges, LINE_BYTES};

const LINES: usize = BLOCK_BYTES / LINE_BYTES;
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
        positions: comparison.positions,
        count: 0,
        changed_bytes: _mm512_setzero_si512(),
        last: _mm512_setzero_si512(),
        is_open: false,
    };
    for at in (0..comparison.page_bytes).step_by(BLOCK_BYTES) {
        // SAFETY: the block lies within both pages, and its edges come after those of the ones before.
        unsafe { find_in_block::<LIVE>(&comparison, &mut walk, at) };
        if walk.changed_bytes() + walk.count > comparison.delta_bytes_max {
            return Edges::TooMany;
        }
    }
    let changed_bytes = walk.changed_bytes();
    if walk.is_open {
        // SAFETY: there are no more edges so far than bytes, and room for one more.
        unsafe { walk.positions.add(walk.count).write(comparison.page_bytes as u32) };
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
    positions: *mut u32,
    /// Edges so far.
    count: usize,
    /// In some lanes or other.
    changed_bytes: __m512i,
    /// Of the lines before, a word each: bit `i` tells whether byte `i` differs.
    last: __m512i,
    /// The last byte before differs.
    is_open: bool,
}

impl Walk {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn changed_bytes(&self) -> usize {
        _mm512_reduce_add_epi64(self.changed_bytes) as usize
    }
}

/// # Safety
/// The block lies within both pages and comes right after the one before.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx512vpopcntdq,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn find_in_block<const LIVE: bool>(comparison: &Comparison, walk: &mut Walk, at: usize) {
    // SAFETY: the caller vouches for the block.
    unsafe {
        let mut old = [_mm512_setzero_si512(); LINES];
        let mut new = [_mm512_setzero_si512(); LINES];
        let mut any = _mm512_setzero_si512();
        for line in 0..LINES {
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
            return;
        }
        let mut differing = [0; LINES];
        for line in 0..LINES {
            differing[line] = _mm512_cmpneq_epi8_mask(old[line], new[line]) as i64;
            if LIVE {
                let to = comparison.become_new.add(at + line * LINE_BYTES);
                _mm512_storeu_si512(to.cast(), new[line]);
            }
        }
        walk.is_open = differing[LINES - 1] < 0;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = differing;
        let differing = _mm512_setr_epi64(d0, d1, d2, d3, d4, d5, d6, d7);
        let before = _mm512_alignr_epi64::<7>(differing, walk.last);
        walk.last = differing;
        walk.changed_bytes = _mm512_add_epi64(walk.changed_bytes, _mm512_popcnt_epi64(differing));
        let follows = _mm512_or_si512(_mm512_slli_epi64::<1>(differing), _mm512_srli_epi64::<63>(before));
        write_positions(walk, at, _mm512_xor_si512(differing, follows));
    }
}

/// Writes the positions of the edges in the block at `at`, of which there is a word for each line.
///
/// # Safety
/// There is room for them, and [`crate::edges::EDGE_SLACK`] more.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx512vpopcntdq,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn write_positions(walk: &mut Walk, at: usize, edges: __m512i) {
    if _mm512_test_epi64_mask(edges, edges) == 0 {
        // In the midst of a run.
        return;
    }
    let ones = _mm512_set1_epi64(-1);
    let below_first = _mm512_add_epi64(edges, ones);
    let others = _mm512_and_si512(edges, below_first);
    let below_second = _mm512_add_epi64(others, ones);
    if _mm512_test_epi64_mask(others, below_second) != 0 {
        // SAFETY: the caller vouches for the room.
        return unsafe { write_many_positions(walk, at, edges) };
    }
    // No line has more than two: all of them at once. As many zeros as a word ends in are ones in what lies below; 64 where
    // there is no edge.
    let first = _mm512_popcnt_epi64(_mm512_andnot_si512(edges, below_first));
    let second = _mm512_popcnt_epi64(_mm512_andnot_si512(others, below_second));
    let offsets = _mm512_or_si512(first, _mm512_slli_epi64::<32>(second));
    let are_edges = _mm512_cmplt_epu32_mask(offsets, _mm512_set1_epi32(LINE_BYTES as i32));
    let lines = _mm512_setr_epi32(0, 0, 64, 64, 128, 128, 192, 192, 256, 256, 320, 320, 384, 384, 448, 448);
    let offsets = _mm512_add_epi32(offsets, _mm512_add_epi32(lines, _mm512_set1_epi32(at as i32)));
    // SAFETY: as above.
    unsafe {
        let positions = walk.positions.add(walk.count);
        _mm512_storeu_si512(positions.cast(), _mm512_maskz_compress_epi32(are_edges, offsets));
    }
    walk.count += are_edges.count_ones() as usize;
}

/// As [`write_positions`], line by line.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn write_many_positions(walk: &mut Walk, at: usize, edges: __m512i) {
    let mut words = [0_u64; LINES];
    // SAFETY: the words are ours; the caller vouches for the room.
    unsafe {
        _mm512_storeu_si512(words.as_mut_ptr().cast(), edges);
        let every = _mm512_loadu_si512(OFFSETS.as_ptr().cast());
        for (line, edges) in words.into_iter().enumerate() {
            let count = edges.count_ones() as usize;
            let positions = walk.positions.add(walk.count);
            let at = _mm512_set1_epi32((at + line * LINE_BYTES) as i32);
            let offsets = _mm512_maskz_compress_epi8(edges, every);
            // Sixteen at once, whether there are so many or not: how many is hard to predict.
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
            walk.count += count;
        }
    }
}
