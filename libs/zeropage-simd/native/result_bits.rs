//! The bitmap that a scan fills.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::candidates::low_bits;

/// One bit a page in 32-bit words, which several threads may set. Words rather than a slice of them: they may lie in
/// memory that JavaScript shares.
pub struct ResultBits {
    words: *const AtomicU32,
    word_count: usize,
    /// Whether several threads set bits of one word.
    shared: bool,
}

// SAFETY: all access is atomic, and whoever made it vouches for the words for as long as it lives.
unsafe impl Sync for ResultBits {}

impl ResultBits {
    /// # Safety
    /// `word_count` words at `words` stay writable for as long as the value lives, and are written by nobody else but
    /// atomically.
    pub unsafe fn new(words: *mut u32, word_count: usize, shared: bool) -> Self {
        Self {
            words: words.cast(),
            word_count,
            shared,
        }
    }

    /// Clears all bits.
    pub fn clear(&self) {
        for word in 0..self.word_count {
            self.word(word).store(0, Ordering::Relaxed);
        }
    }

    /// How many bits are set.
    pub fn count(&self) -> u64 {
        (0..self.word_count)
            .map(|word| u64::from(self.word(word).load(Ordering::Relaxed).count_ones()))
            .sum()
    }

    /// Sets the bit of page `first_page + i` for each bit i of the mask.
    #[inline]
    pub fn add(&self, first_page: usize, mask: u64) {
        let mut mask = u128::from(mask) << (first_page % 32);
        let mut word = first_page / 32;
        while mask != 0 {
            let bits = mask as u32;
            if bits != 0 {
                self.add_to_word(word, bits);
            }
            mask >>= 32;
            word += 1;
        }
    }

    /// Sets the bits of neighbouring pages.
    pub fn add_run(&self, first_page: usize, page_count: usize) {
        for page in (0..page_count).step_by(64) {
            self.add(first_page + page, low_bits(page_count - page));
        }
    }

    fn add_to_word(&self, word: usize, bits: u32) {
        let word = self.word(word);
        if self.shared {
            word.fetch_or(bits, Ordering::Relaxed);
        } else {
            word.store(word.load(Ordering::Relaxed) | bits, Ordering::Relaxed);
        }
    }

    fn word(&self, word: usize) -> &AtomicU32 {
        assert!(word < self.word_count, "a page beyond the bitmap");
        // SAFETY: the word is one of those that `new` was given; AtomicU32 has the layout of u32.
        unsafe { &*self.words.add(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_bits_across_words() {
        for shared in [false, true] {
            let mut words = [u32::MAX; 4];
            // SAFETY: the words live as long as the test.
            let bits = unsafe { ResultBits::new(words.as_mut_ptr(), words.len(), shared) };
            bits.clear();
            bits.add(31, u64::MAX);
            bits.add(31, 1);
            bits.add(127, 1);
            bits.add(127, 0);
            assert_eq!(bits.count(), 65);
            assert_eq!(words, [1 << 31, u32::MAX, (1 << 31) - 1, 1 << 31]);
        }
    }
}
