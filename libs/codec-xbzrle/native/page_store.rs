//! The cache's memory.

/// A cache line, so that no vector load straddles two.
const ALIGNMENT_BYTES: usize = 64;

/// A row of page slots. The system gives memory only to slots that are used: a vector of zeros is mapped, not written.
/// (An allocation with a large alignment would be, which for 64 MiB takes 26 ms.)
pub struct PageStore {
    bytes: Box<[u8]>,
    first_byte: usize,
    page_size_bytes: usize,
}

impl PageStore {
    /// `None` where there is not that much memory. Neither number is zero.
    pub fn new(page_size_bytes: usize, slot_count: usize) -> Option<Self> {
        let length_bytes = page_size_bytes.checked_mul(slot_count).filter(|&length| length > 0)?;
        let padded_bytes = length_bytes.checked_add(ALIGNMENT_BYTES - 1)?;
        // Asked for beforehand, because a vector that cannot have its memory ends the process.
        Vec::<u8>::new().try_reserve_exact(padded_bytes).ok()?;
        let bytes = vec![0; padded_bytes].into_boxed_slice();
        let first_byte = bytes.as_ptr().align_offset(ALIGNMENT_BYTES);
        Some(Self {
            bytes,
            first_byte,
            page_size_bytes,
        })
    }

    pub fn page(&self, slot: usize) -> &[u8] {
        let start = self.first_byte + slot * self.page_size_bytes;
        &self.bytes[start..start + self.page_size_bytes]
    }

    pub fn page_mut(&mut self, slot: usize) -> &mut [u8] {
        let start = self.first_byte + slot * self.page_size_bytes;
        &mut self.bytes[start..start + self.page_size_bytes]
    }
}
