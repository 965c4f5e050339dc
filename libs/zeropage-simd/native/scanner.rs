//! Pages by their indexes, as other native packages ask for them through the capsule.

use godwit_ports::{CapsuleError, Scanner};

use crate::dispatch::Isa;
use crate::page_kernel::{Kernel, PAGES_PER_BLOCK};
use crate::probes::Habit;

/// The smallest page.
pub const PAGE_SIZE_BYTES_MIN: usize = 512;

/// Finds zero pages with one instruction set.
#[derive(Clone, Copy)]
pub struct ZeroPageScanner {
    kernel: Kernel,
}

impl ZeroPageScanner {
    /// `isa` must be one of [`Isa::available`].
    pub fn new(isa: Isa) -> Self {
        Self { kernel: isa.kernel() }
    }

    /// Its functions may be called, as the processor has the instruction set.
    pub fn kernel(&self) -> Kernel {
        self.kernel
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
        if page_size_bytes < PAGE_SIZE_BYTES_MIN || !page_size_bytes.is_power_of_two() {
            return Err(CapsuleError::OutOfRange);
        }
        if zero_flags.len() < pages.len() {
            return Err(CapsuleError::TooSmall);
        }
        let mut zero_pages = 0;
        let mut habit = Habit::new();
        for (block, flags) in zero_flags[..pages.len()].chunks_mut(PAGES_PER_BLOCK).enumerate() {
            let pages = &pages[block * PAGES_PER_BLOCK..];
            let count = flags.len();
            // SAFETY: the caller vouches that the pages are readable; `new` demands an instruction set that is there.
            let zeros = unsafe {
                if are_neighbours(&pages[..count]) {
                    let first = base.wrapping_add(pages[0] as usize * page_size_bytes);
                    (self.kernel.zero_pages_of_run)(first, page_size_bytes, count, &mut habit)
                } else {
                    (self.kernel.zero_pages_of_list)(base, page_size_bytes, pages, count, &mut habit)
                }
            };
            for (index, flag) in flags.iter_mut().enumerate() {
                *flag = (zeros >> index & 1) as u8;
            }
            zero_pages += u64::from(zeros.count_ones());
        }
        Ok(zero_pages)
    }
}

/// Whether each page follows the one before it.
fn are_neighbours(pages: &[u64]) -> bool {
    pages.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(isa: Isa, memory: &[u8], page_size_bytes: usize, pages: &[u64]) -> Vec<u8> {
        let mut flags = vec![9; pages.len()];
        // SAFETY: the pages lie in the slice.
        let found = unsafe { ZeroPageScanner::new(isa).scan(memory.as_ptr(), page_size_bytes, pages, &mut flags) };
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
                assert_eq!(flags_of(isa, &memory[page.clone()], page_size_bytes, &[0]), [1]);
                for at in page.clone() {
                    memory[at] = 1 << (at % 8);
                    let flags = flags_of(isa, &memory[page.clone()], page_size_bytes, &[0]);
                    assert_eq!(flags, [0], "{isa:?} at {at}");
                    // SAFETY: the page lies in the vector.
                    let offset = unsafe { (isa.kernel().first_non_zero)(memory.as_ptr().add(1), page_size_bytes) };
                    assert_eq!(offset, at - 1, "{isa:?}");
                    memory[at] = 0;
                }
            }
        }
    }

    #[test]
    fn every_isa_tells_pages_apart_in_every_order() {
        const PAGE_COUNT: usize = 200;
        // One byte in every third page, in turn in each of the places that a kernel looks at at another time.
        let offsets = [0, 63, 64, 255, 256, 300, 448, 511];
        let mut memory = vec![0_u8; PAGE_COUNT * 512];
        for page in (0..PAGE_COUNT).step_by(3) {
            memory[page * 512 + offsets[page / 3 % offsets.len()]] = 1;
        }
        let forwards: Vec<u64> = (0..PAGE_COUNT as u64).collect();
        let backwards: Vec<u64> = forwards.iter().rev().copied().collect();
        let repeated: Vec<u64> = (0..1000).map(|index| index * 7 % PAGE_COUNT as u64).collect();
        let zeros_first: Vec<u64> = {
            let (odd, zero): (Vec<u64>, Vec<u64>) = forwards.iter().partition(|&page| page % 3 == 0);
            zero.into_iter().chain(odd).collect()
        };
        for isa in Isa::available() {
            for pages in [&forwards, &backwards, &repeated, &zeros_first] {
                let expected: Vec<u8> = pages.iter().map(|page| u8::from(page % 3 != 0)).collect();
                assert_eq!(flags_of(isa, &memory, 512, pages), expected, "{isa:?}");
            }
        }
    }

    #[test]
    fn takes_no_pages() {
        assert_eq!(flags_of(Isa::best(), &[], 4096, &[]), []);
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
