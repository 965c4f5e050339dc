//! The edges of runs, 32 bytes at a time.

use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_testz_si256, _mm256_xor_si256,
};

use crate::edges::{BLOCK_BYTES, Comparison, Edges, LINE_BYTES, Walk, walk_with};

const VECTOR_BYTES: usize = 32;
/// As many vectors as leave registers for the rest.
const PART_BYTES: usize = 256;
const VECTORS: usize = PART_BYTES / VECTOR_BYTES;
const _: () = assert!(BLOCK_BYTES.is_multiple_of(PART_BYTES));

/// See [`crate::edges::FindEdges`].
///
/// # Safety
/// As there; the processor has AVX2.
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub unsafe fn find_edges(comparison: Comparison) -> Edges {
    // SAFETY: the caller vouches for all that the walk and its parts demand.
    unsafe {
        if comparison.become_new.is_null() {
            walk_with(&comparison, PART_BYTES, |walk, at| {
                find_in_part::<false>(&comparison, walk, at);
            })
        } else {
            walk_with(&comparison, PART_BYTES, |walk, at| {
                find_in_part::<true>(&comparison, walk, at);
            })
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
unsafe fn find_in_part<const LIVE: bool>(comparison: &Comparison, walk: &mut Walk, at: usize) {
    // SAFETY: the part lies within both pages, for which the caller vouches.
    unsafe {
        let old = comparison.old.add(at).cast::<__m256i>();
        let new = comparison.new.add(at).cast::<__m256i>();
        let mut vectors = [_mm256_setzero_si256(); VECTORS];
        let mut any = _mm256_setzero_si256();
        for (index, vector) in vectors.iter_mut().enumerate() {
            // Loaded once, whatever the compiler would rather do: a guest may write it.
            *vector = if LIVE {
                new.add(index).read_volatile()
            } else {
                _mm256_loadu_si256(new.add(index))
            };
            let old = _mm256_loadu_si256(old.add(index));
            any = _mm256_or_si256(any, _mm256_xor_si256(*vector, old));
        }
        if _mm256_testz_si256(any, any) == 1 {
            return walk.note_equal(at);
        }
        let (pairs, _) = vectors.as_chunks::<2>();
        for (index, &[low, high]) in pairs.iter().enumerate() {
            let equal = |half: usize, new: __m256i| {
                let old = _mm256_loadu_si256(old.add(2 * index + half));
                u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(old, new)) as u32)
            };
            let differing = !(equal(0, low) | (equal(1, high) << 32));
            if LIVE {
                let to = comparison.become_new.add(at).cast::<__m256i>();
                _mm256_storeu_si256(to.add(2 * index), low);
                _mm256_storeu_si256(to.add(2 * index + 1), high);
            }
            walk.note(at + index * LINE_BYTES, differing);
        }
    }
}
