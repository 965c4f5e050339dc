//! A scan from a bitmap into a bitmap, as JavaScript asks for it.

use std::ops::RangeInclusive;

use godwit_ports::Scanner;

use crate::scanner::ZeroPageScanner;

/// What JavaScript may ask for.
pub const PAGE_SIZES_BYTES: RangeInclusive<usize> = 512..=1 << 30;

const WORD_BITS: usize = 32;

/// One scan: bitmaps have one bit a page in 32-bit words.
pub struct BitmapScan {
    pub base: *const u8,
    pub page_size_bytes: usize,
    pub page_count: usize,
    /// Pages to look at; all where it is `None`.
    pub candidates: Option<*const u32>,
    /// May be the candidates' own words.
    pub into: *mut u32,
}

impl BitmapScan {
    /// Returns the number of zero pages.
    ///
    /// # Safety
    /// `page_count` pages at `base` are readable; both bitmaps have one bit for each of them, in whole pairs of words,
    /// and nobody else writes `into` meanwhile.
    pub unsafe fn run(&self, scanner: &ZeroPageScanner) -> u32 {
        let word_count = 2 * self.page_count.div_ceil(64);
        let mut zero_pages = 0;
        for word in 0..word_count {
            let first_page = word * WORD_BITS;
            let wanted = match self.candidates {
                // SAFETY: the caller vouches for word_count words.
                Some(words) => unsafe { words.add(word).read() },
                None => u32::MAX,
            } & low_bits(self.page_count.saturating_sub(first_page));
            let zeros = if wanted == 0 {
                0
            } else {
                // SAFETY: the wanted bits name pages below page_count, for which the caller vouches.
                unsafe { self.scan_word(scanner, first_page as u64, wanted) }
            };
            // SAFETY: the caller vouches for word_count words.
            unsafe { self.into.add(word).write(zeros) };
            zero_pages += zeros.count_ones();
        }
        zero_pages
    }

    /// The bits of `wanted` whose pages are zero.
    ///
    /// # Safety
    /// The pages that `wanted` names, from `first_page` on, are readable.
    unsafe fn scan_word(&self, scanner: &ZeroPageScanner, first_page: u64, wanted: u32) -> u32 {
        let mut pages = [0; WORD_BITS];
        let mut flags = [0; WORD_BITS];
        let mut count = 0;
        let mut rest = wanted;
        while rest != 0 {
            pages[count] = first_page + u64::from(rest.trailing_zeros());
            count += 1;
            rest &= rest - 1;
        }
        // SAFETY: the caller vouches for the pages. The scan fails only for odd page sizes, of which none gets here;
        // its flags would stay zero.
        let _ = unsafe { scanner.scan(self.base, self.page_size_bytes, &pages[..count], &mut flags) };
        pages[..count].iter().zip(flags).fold(0, |zeros, (page, flag)| {
            zeros | (u32::from(flag) << (page - first_page))
        })
    }
}

/// The lowest `count` bits of a word; all where `count` is larger.
fn low_bits(count: usize) -> u32 {
    match count {
        0..WORD_BITS => (1 << count) - 1,
        _ => u32::MAX,
    }
}
