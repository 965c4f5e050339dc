//! Loops that do nothing but read: what no scanner can be faster than.

/// Reads `length_bytes` bytes, a multiple of [`STRIDE_BYTES`], and joins them all by OR.
///
/// # Safety
/// The bytes are readable, and the processor has the loop's instruction set.
type ReadBytes = unsafe fn(bytes: *const u8, length_bytes: usize) -> u64;

/// Bytes in one turn of every loop.
pub const STRIDE_BYTES: usize = 256;
/// How far ahead the loops with software prefetching fetch.
const AHEAD_BYTES: usize = 4096;

/// A loop that only reads.
#[derive(Clone, Copy)]
pub struct ReadLoop {
    pub name: &'static str,
    is_available: fn() -> bool,
    read: ReadBytes,
}

const LOOPS: &[ReadLoop] = &[
    #[cfg(target_arch = "x86_64")]
    ReadLoop {
        name: "avx512",
        is_available: || is_x86_feature_detected!("avx512f"),
        read: x86::avx512::<false>,
    },
    #[cfg(target_arch = "x86_64")]
    ReadLoop {
        name: "avx512-prefetch",
        is_available: || is_x86_feature_detected!("avx512f"),
        read: x86::avx512::<true>,
    },
    #[cfg(target_arch = "x86_64")]
    ReadLoop {
        name: "avx2",
        is_available: || is_x86_feature_detected!("avx2"),
        read: x86::avx2::<false>,
    },
    #[cfg(target_arch = "x86_64")]
    ReadLoop {
        name: "avx2-prefetch",
        is_available: || is_x86_feature_detected!("avx2"),
        read: x86::avx2::<true>,
    },
    #[cfg(target_arch = "x86_64")]
    ReadLoop {
        name: "sse2",
        is_available: || true,
        read: x86::sse2,
    },
    ReadLoop {
        name: "portable",
        is_available: || true,
        read: portable,
    },
];

impl ReadLoop {
    /// Those that this processor can run.
    pub fn available() -> impl Iterator<Item = Self> {
        LOOPS.iter().copied().filter(|read_loop| (read_loop.is_available)())
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|read_loop| read_loop.name == name)
    }

    /// Reads the bytes `passes` times; whether any of them is not zero.
    ///
    /// # Safety
    /// `length_bytes` bytes at `bytes`, a multiple of [`STRIDE_BYTES`], are readable.
    pub unsafe fn read(self, bytes: *const u8, length_bytes: usize, passes: u32) -> bool {
        let mut sum = 0;
        for _ in 0..passes {
            // SAFETY: the caller vouches for the bytes; `available` for the instruction set. The black box keeps the
            // compiler from reading once for all passes.
            sum |= unsafe { (self.read)(std::hint::black_box(bytes), length_bytes) };
        }
        sum != 0
    }
}

/// Eight words at a time, which a compiler turns into the vectors that every processor of the kind has.
///
/// # Safety
/// See [`ReadBytes`].
unsafe fn portable(bytes: *const u8, length_bytes: usize) -> u64 {
    let mut sums = [0_u64; 16];
    for at in (0..length_bytes).step_by(size_of_val(&sums)) {
        // SAFETY: the block lies in the bytes, which its size divides; the read needs no alignment.
        let block = unsafe { bytes.add(at).cast::<[u64; 16]>().read_unaligned() };
        for (sum, word) in sums.iter_mut().zip(block) {
            *sum |= word;
        }
    }
    sums.into_iter().fold(0, |sum, word| sum | word)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{AHEAD_BYTES, STRIDE_BYTES};

    #[inline(always)]
    fn prefetch(line: *const u8) {
        // SAFETY: a prefetch is a hint; it faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }

    macro_rules! read_loop {
        ($(#[$meta:meta])* $name:ident, $lane:ty, $load:ident, $or:ident, $zero:ident, $is_zero:expr) => {
            /// # Safety
            /// See [`super::ReadBytes`].
            $(#[$meta])*
            pub unsafe fn $name<const PREFETCH: bool>(bytes: *const u8, length_bytes: usize) -> u64 {
                const LANES: usize = STRIDE_BYTES / size_of::<$lane>();
                let mut sums = [$zero(); 4];
                for at in (0..length_bytes).step_by(STRIDE_BYTES) {
                    if PREFETCH {
                        for line in (0..STRIDE_BYTES).step_by(64) {
                            prefetch(bytes.wrapping_add(at + line + AHEAD_BYTES));
                        }
                    }
                    for lane in 0..LANES {
                        // SAFETY: every lane of the stride lies in the bytes, which the caller vouches for.
                        let loaded = unsafe { $load(bytes.add(at + lane * size_of::<$lane>()).cast()) };
                        sums[lane % 4] = $or(sums[lane % 4], loaded);
                    }
                }
                let sum = sums.into_iter().fold($zero(), |sum, lane| $or(sum, lane));
                u64::from(!$is_zero(sum))
            }
        };
    }

    read_loop!(
        #[target_feature(enable = "avx512f")]
        avx512,
        __m512i,
        _mm512_loadu_si512,
        _mm512_or_si512,
        _mm512_setzero_si512,
        |sum| _mm512_test_epi64_mask(sum, sum) == 0
    );
    read_loop!(
        #[target_feature(enable = "avx2")]
        avx2,
        __m256i,
        _mm256_loadu_si256,
        _mm256_or_si256,
        _mm256_setzero_si256,
        |sum| _mm256_testz_si256(sum, sum) == 1
    );
    read_loop!(
        #[target_feature(enable = "sse2")]
        sse2_with,
        __m128i,
        _mm_loadu_si128,
        _mm_or_si128,
        _mm_setzero_si128,
        |sum| _mm_movemask_epi8(_mm_cmpeq_epi8(sum, _mm_setzero_si128())) == 0xffff
    );

    /// # Safety
    /// See [`super::ReadBytes`].
    pub unsafe fn sse2(bytes: *const u8, length_bytes: usize) -> u64 {
        // SAFETY: as the caller vouches; SSE2 belongs to every 64-bit x86 processor.
        unsafe { sse2_with::<false>(bytes, length_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_reads_every_byte() {
        for read_loop in ReadLoop::available() {
            let mut bytes = vec![0_u8; 2 * STRIDE_BYTES + 1];
            for at in 0..2 * STRIDE_BYTES {
                let read = |bytes: &[u8]| {
                    // SAFETY: two strides from the second byte on lie in the vector.
                    unsafe { read_loop.read(bytes.as_ptr().add(1), 2 * STRIDE_BYTES, 2) }
                };
                assert!(!read(&bytes), "{} at {at}", read_loop.name);
                bytes[1 + at] = 1 << (at % 8);
                assert!(read(&bytes), "{} at {at}", read_loop.name);
                bytes[1 + at] = 0;
            }
        }
    }
}
