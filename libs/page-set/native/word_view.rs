//! The words of a bitmap where they lie.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A bitmap's words, read in pairs as 64-bit ones. They lie at any address that 32-bit words may have, and another
/// thread may write them meanwhile, so no Rust reference is ever made to them.
#[derive(Clone, Copy)]
pub struct WordView {
    base: *mut u64,
    length: usize,
}

impl WordView {
    /// # Safety
    /// `length_u32` words (an even number) at `base` are readable and writable for as long as the view is used.
    pub unsafe fn new(base: *mut u32, length_u32: usize) -> Self {
        Self {
            base: base.cast(),
            length: length_u32 / 2,
        }
    }

    /// In 64-bit words.
    #[inline(always)]
    pub fn length(self) -> usize {
        self.length
    }

    /// # Safety
    /// `index` is below the length.
    #[inline(always)]
    pub unsafe fn get(self, index: usize) -> u64 {
        // SAFETY: whoever made the view vouched for its words, the caller for the index; no alignment is needed.
        unsafe { self.base.add(index).read_unaligned() }
    }

    /// # Safety
    /// `index` is below the length.
    #[inline(always)]
    pub unsafe fn set(self, index: usize, word: u64) {
        // SAFETY: whoever made the view vouched for its words, the caller for the index; no alignment is needed.
        unsafe { self.base.add(index).write_unaligned(word) }
    }

    /// Takes the bits out of a word that other threads add bits to with atomic operations: each bit comes out of one
    /// exchange only, and none is lost.
    ///
    /// # Safety
    /// `index` is below the length.
    #[inline(always)]
    pub unsafe fn exchange_for_zero(self, index: usize) -> u64 {
        // SAFETY: whoever made the view vouched for its words, the caller for the index.
        let word = unsafe { self.base.add(index) };
        if word.is_aligned() {
            // SAFETY: the word is aligned, and everybody who writes it meanwhile does so atomically.
            return unsafe { AtomicU64::from_ptr(word) }.swap(0, Ordering::SeqCst);
        }
        let halves: *mut u32 = word.cast();
        // SAFETY: 32-bit words are aligned to their size wherever a Uint32Array lies; written atomically, as above.
        let [low, high] = unsafe { [AtomicU32::from_ptr(halves), AtomicU32::from_ptr(halves.add(1))] };
        u64::from(low.swap(0, Ordering::SeqCst)) | u64::from(high.swap(0, Ordering::SeqCst)) << 32
    }
}
