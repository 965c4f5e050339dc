//! A shared, populated mapping of a file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// A mapping that two processes share; unmapped when dropped.
///
/// The other process may write anything into it at any time: whoever reads from it must check what it read, and may
/// never make a Rust reference to its bytes other than to atomics.
pub struct SharedMapping {
    base: NonNull<u8>,
    length_bytes: usize,
}

// SAFETY: the mapping is plain memory without thread affinity; it is reached through raw pointers and atomics only, and
// unmapped once, by the last owner.
unsafe impl Send for SharedMapping {}
// SAFETY: as above; this type itself offers no access but the base address.
unsafe impl Sync for SharedMapping {}

impl SharedMapping {
    /// Maps the first `length_bytes` of `file` for reading and writing (`mmap(2)`, `MAP_SHARED | MAP_POPULATE`).
    ///
    /// # Errors
    /// What `mmap` refuses.
    pub fn of(file: &File, length_bytes: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use; the descriptor is open
        // for the duration of the call.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mmap gave the null address"))?;
        Ok(Self { base, length_bytes })
    }

    /// The address `offset` bytes into the mapping, which must have `length` bytes there.
    ///
    /// # Panics
    /// When the range is not inside the mapping: a mistake of this crate, never of the other process.
    pub fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(
            offset.checked_add(length).is_some_and(|end| end <= self.length_bytes),
            "a range outside the mapping"
        );
        // SAFETY: the assertion keeps the result inside the mapping.
        unsafe { self.base.as_ptr().add(offset) }
    }
}

impl Drop for SharedMapping {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping made in `of`; rings that point into it hold an `Arc` of it,
        // so nobody uses it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length_bytes) };
    }
}
