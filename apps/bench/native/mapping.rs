use std::io::{Error, Result};
use std::ptr::null_mut;

use godwit_ports::{CapsuleError, Memory};

/// Alignment and size of a huge page on the machines that have them.
const BLOCK_BYTES: usize = 2 << 20;
const PAGE_BYTES: usize = 4096;

/// A private anonymous mapping, aligned to 2 MiB, reserved and not populated; unmapped when dropped.
pub struct Mapping {
    reserved: *mut u8,
    reserved_bytes: usize,
    base: *mut u8,
    length_bytes: usize,
    pagemap_fd: i32,
}

// SAFETY: the mapping belongs to no thread; no method hands out a reference to its bytes.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `length_bytes` in pages of 4 KiB, or in huge pages where the kernel has them at hand.
    pub fn new(length_bytes: usize, huge_pages: bool) -> Result<Self> {
        let reserved_bytes = length_bytes
            .checked_add(BLOCK_BYTES)
            .ok_or_else(|| Error::from_raw_os_error(libc::ENOMEM))?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nobody's memory.
        let reserved = unsafe { libc::mmap(null_mut(), reserved_bytes, protection, flags, -1, 0) };
        if reserved == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let reserved = reserved.cast::<u8>();
        let mapping = Self {
            reserved,
            reserved_bytes,
            base: reserved.wrapping_add(reserved.align_offset(BLOCK_BYTES)),
            length_bytes,
            pagemap_fd: open_pagemap(),
        };
        mapping.choose_page_size(huge_pages);
        Ok(mapping)
    }

    pub const fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// Populates every page for writing.
    pub fn populate(&self) {
        for at in (0..self.length_bytes).step_by(PAGE_BYTES) {
            // SAFETY: the byte lies in the mapping; a volatile write of what fresh memory holds changes nothing that
            // was not written before, as populate comes first.
            unsafe { self.base.add(at).write_volatile(0) };
        }
    }

    /// How many bytes have memory behind them.
    pub fn resident_bytes(&self) -> Result<u64> {
        let mut resident = vec![0_u8; self.length_bytes.div_ceil(PAGE_BYTES)];
        // SAFETY: the range is this mapping's, and the vector has a byte for each of its pages.
        match unsafe { libc::mincore(self.base.cast(), self.length_bytes, resident.as_mut_ptr().cast()) } {
            0 => Ok(resident.iter().filter(|&&flags| flags & 1 != 0).count() as u64 * PAGE_BYTES as u64),
            _ => Err(Error::last_os_error()),
        }
    }

    fn give_back(&self, offset_bytes: usize, length_bytes: usize) -> Result<()> {
        // SAFETY: the caller has checked that the range lies in the mapping, to whose bytes nobody holds references.
        match unsafe { libc::madvise(self.base.add(offset_bytes).cast(), length_bytes, libc::MADV_DONTNEED) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }

    #[cfg(target_os = "linux")]
    fn choose_page_size(&self, huge_pages: bool) {
        let advice = if huge_pages {
            libc::MADV_HUGEPAGE
        } else {
            libc::MADV_NOHUGEPAGE
        };
        // A kernel without huge pages refuses, and then there are none.
        // SAFETY: the range is this mapping's.
        unsafe { libc::madvise(self.base.cast(), self.length_bytes, advice) };
    }

    #[cfg(not(target_os = "linux"))]
    fn choose_page_size(&self, _huge_pages: bool) {}
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped and opened in `new`; whoever knows an address in the mapping holds this value.
        unsafe {
            libc::munmap(self.reserved.cast(), self.reserved_bytes);
            if self.pagemap_fd >= 0 {
                libc::close(self.pagemap_fd);
            }
        }
    }
}

// SAFETY: mapping and descriptor stay until the value is dropped; all of it is readable and writable.
unsafe impl Memory for Mapping {
    fn base(&self) -> *mut u8 {
        self.base
    }

    fn length_bytes(&self) -> u64 {
        self.length_bytes as u64
    }

    fn page_size_bytes(&self) -> u64 {
        PAGE_BYTES as u64
    }

    fn pagemap_fd(&self) -> i32 {
        self.pagemap_fd
    }

    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> std::result::Result<u64, CapsuleError> {
        let mut resident = vec![0_u8; page_count as usize];
        let start = self.base.wrapping_add(first_page as usize * PAGE_BYTES);
        // SAFETY: the capsule's wrapper has checked that the run lies in the mapping; the vector has a byte a page.
        if unsafe {
            libc::mincore(
                start.cast(),
                page_count as usize * PAGE_BYTES,
                resident.as_mut_ptr().cast(),
            )
        } != 0
        {
            return Err(CapsuleError::last_os());
        }
        let mut present = 0;
        for (page, _) in (first_page..).zip(&resident).filter(|(_, flags)| **flags & 1 != 0) {
            bitmap[page as usize / 64] |= 1 << (page % 64);
            present += 1;
        }
        Ok(present)
    }

    fn discard(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        let offset_bytes = first_page as usize * PAGE_BYTES;
        self.give_back(offset_bytes, page_count as usize * PAGE_BYTES)
            .map_err(|error| CapsuleError::Os(error.raw_os_error().unwrap_or(0)))
    }
}

#[cfg(target_os = "linux")]
fn open_pagemap() -> i32 {
    // SAFETY: the path is a C string; a descriptor that could not be opened is -1, which says that there is none.
    unsafe { libc::open(c"/proc/self/pagemap".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) }
}

#[cfg(not(target_os = "linux"))]
fn open_pagemap() -> i32 {
    -1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn populates_and_gives_back() {
        let mapping = Mapping::new(8 * BLOCK_BYTES, false).unwrap();
        assert_eq!(mapping.base as usize % BLOCK_BYTES, 0);
        assert_eq!(mapping.resident_bytes().unwrap(), 0);
        mapping.populate();
        assert_eq!(mapping.resident_bytes().unwrap(), mapping.length_bytes() as u64);
        mapping.discard(1, 4095).unwrap();
        assert_eq!(mapping.resident_bytes().unwrap(), PAGE_BYTES as u64);
        let mut bitmap = vec![0; 64];
        assert_eq!(mapping.present(0, 64, &mut bitmap), Ok(1));
        assert_eq!(bitmap[0], 1);
    }
}
