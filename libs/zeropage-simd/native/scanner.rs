//! Walks over pages with one kernel; what other native packages reach through the capsule.

use godwit_ports::{CapsuleError, Scanner};

use crate::dispatch::{IsZeroPage, Isa};

/// A kernel first looks at this many bytes at the beginning, the middle and the end of a page: where a page is not
/// zero, one of these nearly always shows it.
pub const PROBE_BYTES: usize = 64;
/// Then it joins whole blocks by OR and looks at the result once a block. Leaving within a block would stop the
/// processor's prefetching and cost more than it saves.
pub const BLOCK_BYTES: usize = 4096;
/// The probes of the page this many places ahead are fetched while a page is looked at.
const PREFETCH_PAGES: usize = 4;

/// Finds zero pages with one instruction set.
pub struct ZeroPageScanner {
    is_zero_page: IsZeroPage,
}

impl ZeroPageScanner {
    /// `isa` must be one of [`Isa::available`].
    pub fn new(isa: Isa) -> Self {
        Self {
            is_zero_page: isa.kernel(),
        }
    }
}

impl Scanner for ZeroPageScanner {
    unsafe fn scan(
        &self,
        base: *const u8,
        page_size_bytes: usize,
        pages: &[u64],
        zero_flags: &mut [u8],
    ) -> Result<u64, CapsuleError> {
        if page_size_bytes < 512 || !page_size_bytes.is_power_of_two() {
            return Err(CapsuleError::OutOfRange);
        }
        if zero_flags.len() < pages.len() {
            return Err(CapsuleError::TooSmall);
        }
        let mut zero_pages = 0;
        for (index, (&page, flag)) in pages.iter().zip(zero_flags).enumerate() {
            if let Some(&ahead) = pages.get(index + PREFETCH_PAGES) {
                prefetch_probes(base.wrapping_add(ahead as usize * page_size_bytes), page_size_bytes);
            }
            // SAFETY: the caller vouches that the page is readable; `new` demands an instruction set that is there.
            let is_zero = unsafe { (self.is_zero_page)(base.add(page as usize * page_size_bytes), page_size_bytes) };
            *flag = u8::from(is_zero);
            zero_pages += u64::from(is_zero);
        }
        Ok(zero_pages)
    }
}

#[cfg(target_arch = "x86_64")]
fn prefetch_probes(page: *const u8, page_size_bytes: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for offset in [0, page_size_bytes / 2, page_size_bytes - PROBE_BYTES] {
        // SAFETY: a prefetch is a hint; it faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(page.wrapping_add(offset).cast()) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch_probes(_page: *const u8, _page_size_bytes: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(isa: Isa, memory: &[u8], page_size_bytes: usize) -> Vec<u8> {
        let pages: Vec<u64> = (0..(memory.len() / page_size_bytes) as u64).collect();
        let mut flags = vec![9; pages.len()];
        // SAFETY: the pages lie in the slice.
        let found = unsafe { ZeroPageScanner::new(isa).scan(memory.as_ptr(), page_size_bytes, &pages, &mut flags) };
        assert_eq!(found, Ok(flags.iter().map(|&flag| u64::from(flag)).sum()));
        flags
    }

    #[test]
    fn every_isa_sees_one_bit_anywhere() {
        for isa in Isa::available() {
            for page_size_bytes in [512, 4096, 16384] {
                let mut memory = vec![0xff_u8; page_size_bytes + 2];
                // One byte off any alignment, between bytes that are not zero.
                let page = 1..=page_size_bytes;
                memory[page.clone()].fill(0);
                assert_eq!(flags_of(isa, &memory[page.clone()], page_size_bytes), [1]);
                for at in page.clone() {
                    memory[at] = 1 << (at % 8);
                    assert_eq!(
                        flags_of(isa, &memory[page.clone()], page_size_bytes),
                        [0],
                        "{isa:?} at {at}"
                    );
                    memory[at] = 0;
                }
            }
        }
    }

    #[test]
    fn refuses_odd_page_sizes_and_short_flags() {
        let scanner = ZeroPageScanner::new(Isa::best());
        let memory = [0; 4096];
        for page_size_bytes in [0, 256, 513, 1000] {
            // SAFETY: the call is refused before it reads.
            let refused = unsafe { scanner.scan(memory.as_ptr(), page_size_bytes, &[0], &mut [0]) };
            assert_eq!(refused, Err(CapsuleError::OutOfRange));
        }
        // SAFETY: the call is refused before it reads.
        let refused = unsafe { scanner.scan(memory.as_ptr(), 4096, &[0, 0], &mut [0]) };
        assert_eq!(refused, Err(CapsuleError::TooSmall));
    }
}
