//! The cache's memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// A cache line, so that no vector load straddles two.
const ALIGNMENT_BYTES: usize = 64;

/// A row of page slots. Asked for zeroed, so that the system gives memory only to slots that are used.
pub struct PageStore {
    base: NonNull<u8>,
    layout: Layout,
    page_size_bytes: usize,
}

// SAFETY: the store owns its memory alone; access to it goes by the borrow rules.
unsafe impl Send for PageStore {}

impl PageStore {
    /// `None` where there is not that much memory. Neither number is zero.
    pub fn new(page_size_bytes: usize, slot_count: usize) -> Option<Self> {
        let length_bytes = page_size_bytes.checked_mul(slot_count).filter(|&length| length > 0)?;
        let layout = Layout::from_size_align(length_bytes, ALIGNMENT_BYTES).ok()?;
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self {
            base,
            layout,
            page_size_bytes,
        })
    }

    pub fn page(&self, slot: usize) -> &[u8] {
        let start = self.start_of(slot);
        // SAFETY: start_of checked that the slot lies in the allocation, which is initialised and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(start), self.page_size_bytes) }
    }

    pub fn page_mut(&mut self, slot: usize) -> &mut [u8] {
        let start = self.start_of(slot);
        // SAFETY: as in `page`; the exclusive borrow of self is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(start), self.page_size_bytes) }
    }

    fn start_of(&self, slot: usize) -> usize {
        assert!(
            slot < self.layout.size() / self.page_size_bytes,
            "a slot outside the store"
        );
        slot * self.page_size_bytes
    }
}

impl Drop for PageStore {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed only here.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
