//! The dirty ring of one virtual processor (`Documentation/virt/kvm/api.rst`, `KVM_CAP_DIRTY_LOG_RING`).

use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use godwit_ports::CapsuleError;
use kvm_bindings::{KVM_DIRTY_LOG_PAGE_OFFSET, kvm_dirty_gfn};

use crate::kvm_slots::system_page_bytes;

/// An entry names a page; KVM has written it.
const DIRTY: u32 = 1 << 0;
/// The page was noted; KVM may have the entry back.
const HARVESTED: u32 = 1 << 1;

/// A ring, mapped, and how far it was read. One reader.
pub(crate) struct DirtyGfnRing {
    entries: NonNull<kvm_dirty_gfn>,
    length_bytes: usize,
    /// Where the next entry will be, once that is known.
    position: Option<usize>,
}

// SAFETY: the mapping belongs to the value and may be used by any thread.
unsafe impl Send for DirtyGfnRing {}

impl DirtyGfnRing {
    /// Maps the ring of a processor, of as many bytes as the rings of its VM were enabled with.
    pub(crate) fn map(vcpu_fd: RawFd, ring_bytes: u64) -> Result<Self, CapsuleError> {
        let length_bytes = usize::try_from(ring_bytes).unwrap_or(0);
        if length_bytes / size_of::<kvm_dirty_gfn>() == 0 {
            return Err(CapsuleError::Os(libc::EINVAL));
        }
        // SAFETY: a new mapping at a place of the kernel's choosing.
        let entries = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                vcpu_fd,
                (u64::from(KVM_DIRTY_LOG_PAGE_OFFSET) * system_page_bytes()) as libc::off_t,
            )
        };
        if entries == libc::MAP_FAILED {
            return Err(CapsuleError::last_os());
        }
        Ok(Self {
            entries: NonNull::new(entries.cast()).ok_or(CapsuleError::Os(libc::ENOMEM))?,
            length_bytes,
            position: None,
        })
    }

    /// Where entries begin: KVM goes on where it stopped, and does not say where that was to a reader who comes later. It
    /// writes entries one after the other and never all of them, so the oldest is the one behind an entry that is not dirty.
    fn find_oldest(&self) -> Option<usize> {
        let dirty = |index: usize| self.flags(index).load(Ordering::Acquire) & DIRTY != 0;
        let count = self.entry_count();
        // In this order: an entry that is dirty was written after the one before it.
        (0..count).find(|&index| dirty(index) && !dirty((index + count - 1) % count))
    }

    /// Another reader may have gone on from here: KVM's next entry is to be looked for again.
    pub(crate) fn forget_position(&mut self) {
        self.position = None;
    }

    fn entry_count(&self) -> usize {
        self.length_bytes / size_of::<kvm_dirty_gfn>()
    }

    fn flags(&self, index: usize) -> &AtomicU32 {
        debug_assert!(index < self.entry_count());
        // SAFETY: the entry lies in the mapping, which lives as long as self; KVM accesses its flags atomically too.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.entries.as_ptr().add(index)).flags) }
    }

    /// The next page that was written: its slot and its offset in that.
    pub(crate) fn next(&mut self) -> Option<(u32, u64)> {
        let position = self.position.or_else(|| self.find_oldest())?;
        self.position = Some(position);
        let flags = self.flags(position);
        // Acquire: slot and offset were written before the flag.
        if flags.load(Ordering::Acquire) & DIRTY == 0 {
            return None;
        }
        // SAFETY: the entry lies in the mapping; KVM does not touch a dirty entry until it is marked as harvested.
        let entry = unsafe { self.entries.as_ptr().add(position).read_volatile() };
        // Release: KVM may overwrite the entry from here on.
        flags.store(HARVESTED, Ordering::Release);
        self.position = Some((position + 1) % self.entry_count());
        Some((entry.slot, entry.offset))
    }
}

impl Drop for DirtyGfnRing {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length and is used by nobody any more.
        unsafe { libc::munmap(self.entries.as_ptr().cast(), self.length_bytes) };
    }
}
