//! The cache's memory.

use std::alloc::{Layout, alloc_zeroed};

/// A cache line, so that no vector load straddles two.
pub const ALIGNMENT_BYTES: usize = 64;

/// A row of page slots. The system gives memory only to slots that are used: zeroed memory is mapped, not written.
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
        let bytes = zeros::<u8>(length_bytes.checked_add(ALIGNMENT_BYTES - 1)?)?;
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

/// A number of which all bits zero are one.
pub trait Number: Copy {}
impl Number for u8 {}
impl Number for u64 {}

/// So many zeros; `None` where there is not that much memory, which would end the process if a vector wanted it.
pub fn zeros<N: Number>(count: usize) -> Option<Box<[N]>> {
    let layout = Layout::array::<N>(count).ok()?;
    if layout.size() == 0 {
        return Some(Box::from([]));
    }
    // SAFETY: the layout is not of zero size.
    let first = unsafe { alloc_zeroed(layout) }.cast::<N>();
    if first.is_null() {
        return None;
    }
    let row = std::ptr::slice_from_raw_parts_mut(first, count);
    // SAFETY: the allocation has the layout of such a box, is nobody else's, and zeros are numbers.
    Some(unsafe { Box::from_raw(row) })
}
