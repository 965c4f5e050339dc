//! The host's side of guest memory: one private anonymous mapping, reserved but not populated.

use std::io::{Error, Result};
use std::ptr::null_mut;

use godwit_guest_programs::layout::BLOCK_BYTES;

/// A mapping aligned to 2 MiB; unmapped when dropped.
pub struct Mapping {
    reserved: *mut u8,
    reserved_bytes: usize,
    base: *mut u8,
    length_bytes: u64,
}

// SAFETY: the mapping belongs to nobody's thread; what is done with its bytes is up to those who take its address.
unsafe impl Send for Mapping {}
// SAFETY: as above; no method hands out references to its bytes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves `length_bytes`. Nothing is populated, and nothing will be in larger pieces than a page unless asked for.
    pub fn new(length_bytes: u64) -> Result<Self> {
        let reserved_bytes = (length_bytes + BLOCK_BYTES) as usize;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nobody's memory.
        let reserved = unsafe { libc::mmap(null_mut(), reserved_bytes, protection, flags, -1, 0) };
        if reserved == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let reserved = reserved.cast::<u8>();
        let base = reserved.wrapping_add(reserved.align_offset(BLOCK_BYTES as usize));
        let mapping = Self {
            reserved,
            reserved_bytes,
            base,
            length_bytes,
        };
        // Where the system always uses huge pages one byte would populate 512 pages; kernels without them refuse this.
        let _ = mapping.advise(0, length_bytes, libc::MADV_NOHUGEPAGE);
        // A guest's memory is not for the crash dump of its host.
        let _ = mapping.advise(0, length_bytes, libc::MADV_DONTDUMP);
        // A process that its host starts would inherit all pages copy-on-write, and the guest would pay for every one of
        // them with a fault.
        mapping.advise(0, length_bytes, libc::MADV_DONTFORK)?;
        Ok(mapping)
    }

    /// First byte.
    pub const fn base(&self) -> *mut u8 {
        self.base
    }

    /// Length in bytes.
    pub const fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Gives advice about a range, which the caller has checked to lie inside.
    pub fn advise(&self, offset_bytes: u64, length_bytes: u64, advice: i32) -> Result<()> {
        assert!(
            offset_bytes + length_bytes <= self.length_bytes,
            "advice about other memory"
        );
        let address = self.base.wrapping_add(offset_bytes as usize).cast();
        // SAFETY: the range lies inside this mapping, whose bytes nobody holds references to.
        match unsafe { libc::madvise(address, length_bytes as usize, advice) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped in `new`, and whoever knows an address in it holds this value.
        unsafe { libc::munmap(self.reserved.cast(), self.reserved_bytes) };
    }
}
