//! A guest's memory as its machine, its card and other packages use it, whatever the kind of guest.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use godwit_guest_programs::layout::PAGE_BYTES;
use godwit_nic_sim::GuestDma;
use godwit_ports::{Capsule, CapsuleError, DirtyRings, MemorySlot, MemoryTable, RingHarvester};

use crate::host_memory::HostMemory;

/// Memory of a guest, with what its kind adds to it.
///
/// # Safety
/// What `vm_fd`, `slots`, `device_marks` and `dirty_rings` return stays open and in place for as long as the value lives, and there is
/// a word of marks for each 64 pages.
pub unsafe trait GuestMemory: Send + Sync {
    /// The memory itself.
    fn host(&self) -> &HostMemory;

    /// The KVM VM whose slots lie over the memory, or -1.
    fn vm_fd(&self) -> i32 {
        -1
    }

    /// The slots.
    fn slots(&self) -> &[MemorySlot] {
        &[]
    }

    /// Where devices mark the pages they write; none where the guest's tracker sees the writes of devices by itself.
    fn device_marks(&self) -> Option<&[AtomicU64]> {
        None
    }

    /// The rings in which the processors record their writes, if they do.
    fn dirty_rings(&self) -> Option<&DirtyRings> {
        None
    }

    /// Who empties the rings when a processor meets a full one.
    fn set_ring_harvester(&self, _harvester: Option<RingHarvester>) -> std::result::Result<(), CapsuleError> {
        Err(CapsuleError::Unsupported)
    }

    /// Has the rings emptied. Called by a processor's thread that left its guest because its ring is full.
    fn empty_rings(&self) {}

    /// Whatever else lies over the memory lets go of it, before its pages are given back.
    fn detach(&self) -> Result<()> {
        Ok(())
    }
}

// SAFETY: there is nothing that would have to stay in place.
unsafe impl GuestMemory for HostMemory {
    fn host(&self) -> &HostMemory {
        self
    }
}

impl dyn GuestMemory + '_ {
    /// Gives all of the memory back, for good. Idempotent.
    pub fn release(&self) -> Result<()> {
        if !self.host().begin_release() {
            return Ok(());
        }
        self.detach()?;
        self.host().empty()
    }
}

impl GuestDma for dyn GuestMemory + '_ {
    fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8> {
        self.host().at(guest_physical, length)
    }

    fn mark_dirty(&self, guest_physical: u64, length: usize) {
        if let Some(offset) = self.host().offset_of(guest_physical) {
            self.mark_written(offset, length);
        }
    }
}

impl dyn GuestMemory + '_ {
    /// Marks what this process wrote, from an offset in the row of pages on, for trackers that see processors alone. After
    /// the write.
    pub(crate) fn mark_written(&self, offset: u64, length: usize) {
        let Some(marks) = self.device_marks().filter(|_| length > 0) else {
            return;
        };
        for page in offset / PAGE_BYTES..=(offset + length as u64 - 1) / PAGE_BYTES {
            if let Some(word) = marks.get((page / 64) as usize) {
                // Always a read-modify-write: were the bit only looked at first, a collect between that look and now
                // could have taken the mark of an older write before this one became visible.
                word.fetch_or(1 << (page % 64), Ordering::Release);
            }
        }
    }
}

/// [`GuestMemory`] as other packages hold it.
pub struct SharedMemory(pub Arc<dyn GuestMemory>);

impl SharedMemory {
    /// Behind a memory capsule.
    pub fn capsule(self) -> Capsule<MemoryTable> {
        Capsule::<MemoryTable>::export(self)
    }
}

// SAFETY: mapping and descriptors belong to HostMemory, the rest to the kind's own memory, which vouches for it; self
// keeps both alive. Released memory stays mapped and readable.
unsafe impl godwit_ports::Memory for SharedMemory {
    fn base(&self) -> *mut u8 {
        self.0.host().base()
    }

    fn length_bytes(&self) -> u64 {
        self.0.host().length_bytes()
    }

    fn page_size_bytes(&self) -> u64 {
        PAGE_BYTES
    }

    fn userfault_fd(&self) -> i32 {
        self.0.host().userfault_fd()
    }

    fn vm_fd(&self) -> i32 {
        self.0.vm_fd()
    }

    fn pagemap_fd(&self) -> i32 {
        self.0.host().pagemap_fd()
    }

    fn slots(&self) -> &[MemorySlot] {
        self.0.slots()
    }

    fn device_marks(&self) -> Option<&[AtomicU64]> {
        self.0.device_marks()
    }

    fn dirty_rings(&self) -> Option<&DirtyRings> {
        self.0.dirty_rings()
    }

    fn set_ring_harvester(&self, harvester: Option<RingHarvester>) -> std::result::Result<(), CapsuleError> {
        self.0.set_ring_harvester(harvester)
    }

    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> std::result::Result<u64, CapsuleError> {
        self.0.host().present(first_page, page_count, bitmap)
    }

    fn expect(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.0.host().expect(first_page, page_count)
    }

    fn discard(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.0.host().discard(first_page, page_count)
    }
}
