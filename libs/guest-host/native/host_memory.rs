//! A guest's memory at its host: the mapping, the descriptors by which it is watched, and where an address lies in it.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use godwit_guest_programs::control::Area;
use godwit_guest_programs::layout::{BLOCK_BYTES, HOLE_END, HOLE_START, PAGE_BYTES};
use godwit_guest_programs::{Memory, Plan};
use godwit_ports::CapsuleError;

use crate::mapping::Mapping;
use crate::present::present;
use crate::userfault::record_writes;

/// Memory, reserved when it is made and populated page by page. The descriptors are closed before it is unmapped.
pub struct HostMemory {
    userfault: Option<OwnedFd>,
    pagemap: File,
    hole_bytes: u64,
    huge_pages: bool,
    released: AtomicBool,
    mapping: Mapping,
}

impl HostMemory {
    /// Maps memory. Guest-physical addresses are offsets in it, up to a hole below 4 GiB if `hole_bytes` is not 0. Where
    /// writes shall be recorded, they are from the first on. Nothing is populated.
    pub fn new(memory_bytes: u64, hole_bytes: u64, huge_pages: bool, record: bool) -> Result<Self> {
        let mapping = Mapping::new(memory_bytes)?;
        let userfault = if record { Some(record_writes(&mapping)?) } else { None };
        Ok(Self {
            userfault,
            pagemap: File::open("/proc/self/pagemap")?,
            hole_bytes,
            huge_pages,
            released: AtomicBool::new(false),
            mapping,
        })
    }

    /// First byte in this process.
    pub const fn base(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// Length in bytes.
    pub const fn length_bytes(&self) -> u64 {
        self.mapping.length_bytes()
    }

    /// The descriptor that records writes, or -1.
    pub fn userfault_fd(&self) -> RawFd {
        self.userfault.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// The page tables of this process.
    pub fn pagemap_fd(&self) -> RawFd {
        self.pagemap.as_raw_fd()
    }

    /// The memory as guest programs see it from here.
    pub fn view(&self) -> Memory {
        // SAFETY: all of the memory is mapped readable and writable for as long as self lives, which holders of the view
        // keep alive; plans for a memory of this size place nothing outside of it.
        unsafe { Memory::new(self.base(), self.hole_bytes) }
    }

    /// Where a guest-physical address lies in the mapping; none inside the hole. It may lie behind the end.
    pub const fn offset_of(&self, address: u64) -> Option<u64> {
        match address {
            HOLE_END.. => Some(address - self.hole_bytes),
            HOLE_START.. if self.hole_bytes > 0 => None,
            _ => Some(address),
        }
    }

    /// The address in this process of `length` bytes; none when any of them is not memory, or when they are not in a row.
    pub fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8> {
        let last = guest_physical.checked_add((length as u64).saturating_sub(1))?;
        let offset = self.offset_of(guest_physical)?;
        let in_a_row = self.offset_of(last)?.checked_sub(offset)? == last - guest_physical;
        let fits = in_a_row && self.is_inside(offset, length);
        fits.then(|| self.base().wrapping_add(offset as usize))
    }

    /// Copies bytes out, from an offset in the row of pages; false when they are not all inside.
    pub fn read(&self, offset_bytes: u64, into: &mut [u8]) -> bool {
        let inside = self.is_inside(offset_bytes, into.len());
        if inside {
            let from = self.base().wrapping_add(offset_bytes as usize);
            // SAFETY: the range was checked; the guest may write it meanwhile, which tears the copy and nothing else.
            unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
        }
        inside
    }

    /// Copies bytes in, to an offset in the row of pages; false when they are not all inside.
    pub fn write(&self, offset_bytes: u64, from: &[u8]) -> bool {
        let inside = self.is_inside(offset_bytes, from.len());
        if inside {
            let to = self.base().wrapping_add(offset_bytes as usize);
            // SAFETY: the range was checked; a guest whose memory is written while it runs harms only itself.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        }
        inside
    }

    fn is_inside(&self, offset_bytes: u64, length: usize) -> bool {
        offset_bytes
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.length_bytes())
    }

    /// Whether the memory was given back.
    pub fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Marks the memory as given back; whether it was not before.
    pub(crate) fn begin_release(&self) -> bool {
        !self.released.swap(true, Ordering::AcqRel)
    }

    /// Gives all pages back. The address range stays reserved for those who still hold the memory.
    pub(crate) fn empty(&self) -> Result<()> {
        self.mapping.advise(0, self.length_bytes(), libc::MADV_DONTNEED)
    }

    /// Writes what a plan places into fresh memory: rings, pool, working set and resident content.
    pub fn fill(&self, plan: &Plan) -> Result<()> {
        for area in [&plan.control.shadow, &plan.control.working_set, &plan.control.resident] {
            self.expect_area(area)?;
        }
        plan.prepare(self.view());
        Ok(())
    }

    /// Asks for huge pages behind those 2 MiB blocks that lie wholly inside an area.
    fn expect_area(&self, area: &Area) -> Result<()> {
        for (address, pages) in [(area.low_address, area.low_pages), (area.high_address, area.high_pages)] {
            if pages > 0
                && let Some(offset) = self.offset_of(address)
            {
                self.expect_bytes(offset, pages * PAGE_BYTES)?;
            }
        }
        Ok(())
    }

    fn expect_bytes(&self, offset_bytes: u64, length_bytes: u64) -> Result<()> {
        let first = offset_bytes.next_multiple_of(BLOCK_BYTES);
        let end = (offset_bytes + length_bytes) / BLOCK_BYTES * BLOCK_BYTES;
        if !self.huge_pages || first >= end {
            return Ok(());
        }
        match self.mapping.advise(first, end - first, libc::MADV_HUGEPAGE) {
            // A kernel without huge pages: the hint is void.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => result,
        }
    }

    /// Sets the bits of the populated pages of a run; returns how many.
    pub fn present(
        &self,
        first_page: u64,
        page_count: u64,
        bitmap: &mut [u64],
    ) -> std::result::Result<u64, CapsuleError> {
        self.check_run(first_page, page_count)?;
        present(&self.pagemap, self.base(), first_page, page_count, bitmap)
    }

    /// A hint that the whole run will be overwritten soon.
    pub fn expect(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.check_run(first_page, page_count)?;
        self.expect_bytes(first_page * PAGE_BYTES, page_count * PAGE_BYTES)
            .map_err(os)
    }

    /// Makes the run read as zero and gives its memory back.
    pub fn discard(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.check_run(first_page, page_count)?;
        let (offset, length) = (first_page * PAGE_BYTES, page_count * PAGE_BYTES);
        self.mapping.advise(offset, length, libc::MADV_DONTNEED).map_err(os)
    }

    fn check_run(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        match first_page.checked_add(page_count) {
            Some(end) if end <= self.length_bytes() / PAGE_BYTES => Ok(()),
            _ => Err(CapsuleError::OutOfRange),
        }
    }
}

fn os(error: Error) -> CapsuleError {
    CapsuleError::Os(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_memory_or_nowhere() {
        let plain = HostMemory::new(64 << 20, 0, false, false).unwrap();
        assert_eq!(plain.at(0, 64 << 20), Some(plain.base()));
        assert_eq!(plain.at(4096, 0), Some(plain.base().wrapping_add(4096)));
        for (address, length) in [
            (0, (64 << 20) + 1),
            (64 << 20, 1),
            (u64::MAX, 1),
            (u64::MAX, 2),
            (1, usize::MAX),
        ] {
            assert_eq!(plain.at(address, length), None, "{address} {length}");
        }
        let holed = HostMemory::new(4 << 30, HOLE_END - HOLE_START, false, false).unwrap();
        let high = holed.base().wrapping_add(HOLE_START as usize);
        assert_eq!(holed.at(HOLE_START - 1, 1), Some(high.wrapping_sub(1)));
        assert_eq!(holed.at(HOLE_END, 1 << 30), Some(high));
        for (address, length) in [
            (HOLE_START - 1, 2),
            (HOLE_START, 1),
            (HOLE_END - 1, 1),
            (HOLE_END - 1, 2),
        ] {
            assert_eq!(holed.at(address, length), None, "{address} {length}");
        }
        assert_eq!(holed.at(HOLE_START - 1, 2 + (1 << 30)), None);
        assert_eq!(holed.at(HOLE_END, (1 << 30) + 1), None);
    }
}
