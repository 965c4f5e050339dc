//! Copies at the machine's own rate: as the C library does it, and with stores that go around the caches.

/// Bytes in one turn of the copy around the caches.
pub const STRIDE_BYTES: usize = 512;

/// A way to copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CopyLoop {
    Memcpy,
    NonTemporal,
}

impl CopyLoop {
    /// Those that this processor has, by name.
    pub fn available() -> impl Iterator<Item = (&'static str, Self)> {
        [("memcpy", Self::Memcpy), ("non-temporal", Self::NonTemporal)]
            .into_iter()
            .filter(|(_, copy_loop)| copy_loop.is_available())
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::available().find_map(|(known, copy_loop)| (known == name).then_some(copy_loop))
    }

    fn is_available(self) -> bool {
        match self {
            Self::Memcpy => true,
            #[cfg(target_arch = "x86_64")]
            Self::NonTemporal => is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::NonTemporal => false,
        }
    }

    /// Copies `length_bytes` bytes, a multiple of [`STRIDE_BYTES`], `passes` times.
    ///
    /// # Safety
    /// The bytes at `from` are readable and those at `to` writable, for this call alone; `to` is aligned to 64 bytes;
    /// the two do not overlap.
    pub unsafe fn copy(self, from: *const u8, to: *mut u8, length_bytes: usize, passes: u32) {
        for _ in 0..passes {
            let from = std::hint::black_box(from);
            match self {
                // SAFETY: the caller vouches for both sides.
                Self::Memcpy => unsafe { std::ptr::copy_nonoverlapping(from, to, length_bytes) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above, and `available` for AVX2.
                Self::NonTemporal => unsafe { non_temporal(from, to, length_bytes) },
                #[cfg(not(target_arch = "x86_64"))]
                Self::NonTemporal => unreachable!("available offers it on x86-64 only"),
            }
            std::hint::black_box(to);
        }
    }
}

/// # Safety
/// See [`CopyLoop::copy`]; the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn non_temporal(from: *const u8, to: *mut u8, length_bytes: usize) {
    use std::arch::x86_64::*;
    const LANES: usize = STRIDE_BYTES / 32;
    for at in (0..length_bytes).step_by(STRIDE_BYTES) {
        let mut lanes = [_mm256_setzero_si256(); LANES];
        for (lane, loaded) in lanes.iter_mut().enumerate() {
            // SAFETY: the lane lies in the bytes at `from`.
            *loaded = unsafe { _mm256_loadu_si256(from.add(at + 32 * lane).cast()) };
        }
        for (lane, loaded) in lanes.into_iter().enumerate() {
            // SAFETY: the lane lies in the bytes at `to`, which are aligned.
            unsafe { _mm256_stream_si256(to.add(at + 32 * lane).cast(), loaded) };
        }
    }
    _mm_sfence();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_every_byte() {
        #[repr(align(64))]
        struct Aligned([u8; 4 * STRIDE_BYTES]);
        for (name, copy_loop) in CopyLoop::available() {
            let from: Vec<u8> = (0..4 * STRIDE_BYTES).map(|at| (at * 7) as u8).collect();
            let mut to = Aligned([0; 4 * STRIDE_BYTES]);
            // SAFETY: both sides are whole vectors of their own, the target aligned by its type.
            unsafe { copy_loop.copy(from.as_ptr(), to.0.as_mut_ptr(), from.len(), 1) };
            assert!(to.0 == from[..], "{name}");
        }
    }
}
