//! Copies of a few bytes, which a call of `memcpy` would dominate.

/// Copies exactly `length` bytes.
///
/// # Safety
/// So many bytes are readable at `from` and writable at `to`, and do not overlap. Others may write them meanwhile.
#[inline(always)]
pub unsafe fn copy_short(from: *const u8, to: *mut u8, length: usize) {
    /// The first and the last `size_of::<T>()` bytes, which may overlap.
    #[inline(always)]
    unsafe fn both_ends<T: Copy>(from: *const u8, to: *mut u8, length: usize) {
        let last = length - size_of::<T>();
        // SAFETY: the caller has `length` bytes, at least one `T`.
        unsafe {
            let (first, end) = (
                from.cast::<T>().read_unaligned(),
                from.add(last).cast::<T>().read_unaligned(),
            );
            to.cast::<T>().write_unaligned(first);
            to.add(last).cast::<T>().write_unaligned(end);
        }
    }
    // SAFETY: the caller vouches for the bytes; each branch touches no others.
    unsafe {
        if length < 4 {
            if length > 0 {
                // The three are all there are, twice or three times where there are fewer.
                for at in [0, length / 2, length - 1] {
                    to.add(at).write(from.add(at).read());
                }
            }
        } else if length < 8 {
            both_ends::<u32>(from, to, length);
        } else if length < 16 {
            both_ends::<u64>(from, to, length);
        } else if length <= 32 {
            both_ends::<[u8; 16]>(from, to, length);
        } else if length <= 64 {
            both_ends::<[u8; 32]>(from, to, length);
        } else if length <= 128 {
            both_ends::<[u8; 64]>(from, to, length);
        } else {
            std::ptr::copy_nonoverlapping(from, to, length);
        }
    }
}
