//! A guest's memory: the mapping, the memory slots over it, and who else may ask about its pages.

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use godwit_guest_programs::layout::{BLOCK_BYTES, HOLE_END, HOLE_START, PAGE_BYTES};
use godwit_guest_programs::{Memory, control::Area};
use godwit_nic_sim::GuestDma;
use godwit_ports::{CapsuleError, MemorySlot};
use kvm_bindings::{
    KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
    kvm_enable_cap, kvm_userspace_memory_region,
};
use kvm_ioctls::VmFd;

use crate::mapping::Mapping;
use crate::present::present;
use crate::userfault::record_writes;

/// Bytes of the hole below 4 GiB.
pub const HOLE_BYTES: u64 = HOLE_END - HOLE_START;

/// Memory and its slots. Fields are dropped in this order: the VM before the mapping behind it.
pub struct GuestMemory {
    vm: VmFd,
    userfault: Option<OwnedFd>,
    pagemap: File,
    slots: Vec<MemorySlot>,
    device_marks: Box<[AtomicU64]>,
    huge_pages: bool,
    released: AtomicBool,
    mapping: Mapping,
}

impl GuestMemory {
    /// Maps memory and gives it to a VM: pages below 3 GiB from address 0 on, the others from 4 GiB on. Nothing is
    /// populated.
    pub fn new(vm: VmFd, memory_bytes: u64, huge_pages: bool, record: bool) -> Result<Self> {
        let mapping = Mapping::new(memory_bytes)?;
        let userfault = if record { Some(record_writes(&mapping)?) } else { None };
        let pagemap = File::open("/proc/self/pagemap")?;
        enable_manual_dirty_log(&vm);
        let low_bytes = memory_bytes.min(HOLE_START);
        let slot = |slot, first_page, bytes, guest_physical_address| MemorySlot {
            slot,
            reserved: 0,
            first_page,
            page_count: bytes / PAGE_BYTES,
            guest_physical_address,
        };
        let mut slots = vec![slot(0, 0, low_bytes, 0)];
        if memory_bytes > low_bytes {
            slots.push(slot(1, low_bytes / PAGE_BYTES, memory_bytes - low_bytes, HOLE_END));
        }
        let device_marks = (0..(memory_bytes / PAGE_BYTES).div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        let released = AtomicBool::new(false);
        let memory = Self {
            vm,
            userfault,
            pagemap,
            slots,
            device_marks,
            huge_pages,
            released,
            mapping,
        };
        for slot in &memory.slots {
            memory.set_slot(slot, slot.page_count * PAGE_BYTES)?;
        }
        Ok(memory)
    }

    fn set_slot(&self, slot: &MemorySlot, memory_size: u64) -> Result<()> {
        let region = kvm_userspace_memory_region {
            slot: slot.slot,
            flags: 0,
            guest_phys_addr: slot.guest_physical_address,
            memory_size,
            userspace_addr: self.mapping.base() as u64 + slot.first_page * PAGE_BYTES,
        };
        // SAFETY: the slot's range lies inside the mapping, which outlives the VM.
        unsafe { self.vm.set_user_memory_region(region) }.map_err(|error| Error::from_raw_os_error(error.errno()))
    }

    /// The VM whose memory this is.
    pub const fn vm(&self) -> &VmFd {
        &self.vm
    }

    /// Whether the memory was given back.
    pub fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Gives all of it back, for good: what the host keeps about the slots too. The address range stays reserved for
    /// those who still hold the memory.
    pub fn release(&self) -> Result<()> {
        if self.released.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        for slot in &self.slots {
            self.set_slot(slot, 0)?;
        }
        self.mapping.advise(0, self.mapping.length_bytes(), libc::MADV_DONTNEED)
    }

    /// The memory as guest programs see it from here.
    pub fn view(&self) -> Memory {
        // SAFETY: all of the memory is mapped readable and writable for as long as self lives, which holders of the view
        // keep alive; plans for a memory of this size place nothing outside of it.
        unsafe { Memory::new(self.mapping.base(), HOLE_BYTES) }
    }

    /// First byte in this process.
    pub const fn base(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// Copies bytes out, from an offset in the row of pages; false when they are not all inside.
    pub fn read(&self, offset_bytes: u64, into: &mut [u8]) -> bool {
        let inside = self.holds(offset_bytes, into.len());
        if inside {
            let from = self.base().wrapping_add(offset_bytes as usize);
            // SAFETY: the range was checked; the guest may write it meanwhile, which tears the copy and nothing else.
            unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
        }
        inside
    }

    /// Copies bytes in, to an offset in the row of pages; false when they are not all inside.
    pub fn write(&self, offset_bytes: u64, from: &[u8]) -> bool {
        let inside = self.holds(offset_bytes, from.len());
        if inside {
            let to = self.base().wrapping_add(offset_bytes as usize);
            // SAFETY: the range was checked; a guest whose memory is written while it runs harms only itself.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        }
        inside
    }

    fn holds(&self, offset_bytes: u64, length: usize) -> bool {
        offset_bytes
            .checked_add(length as u64)
            .is_some_and(|end| end <= self.mapping.length_bytes())
    }

    /// Asks for huge pages behind those 2 MiB blocks that lie wholly inside an area.
    pub fn expect_area(&self, area: &Area) -> Result<()> {
        for (address, pages) in [(area.low_address, area.low_pages), (area.high_address, area.high_pages)] {
            if pages > 0
                && let Some(offset) = offset_of(address)
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

    fn check_run(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        match first_page.checked_add(page_count) {
            Some(end) if end <= self.mapping.length_bytes() / PAGE_BYTES => Ok(()),
            _ => Err(CapsuleError::OutOfRange),
        }
    }
}

/// Without manual protection every look at the log protects all of its pages at once.
fn enable_manual_dirty_log(vm: &VmFd) {
    let offered = vm.check_extension_raw(u64::from(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
    let wanted = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
    let flags = u64::from(wanted) & offered.max(0) as u64;
    if flags != 0 {
        let capability = kvm_enable_cap {
            cap: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
            args: [flags, 0, 0, 0],
            ..Default::default()
        };
        // Where it fails the log works all the same, only slower.
        let _ = vm.enable_cap(&capability);
    }
}

/// Where a guest-physical address lies in the mapping; none inside the hole.
pub const fn offset_of(address: u64) -> Option<u64> {
    match address {
        0..HOLE_START => Some(address),
        HOLE_END.. => Some(address - HOLE_BYTES),
        _ => None,
    }
}

/// [`GuestMemory`] as other packages hold it.
#[derive(Clone)]
pub struct SharedMemory(pub Arc<GuestMemory>);

// SAFETY: mapping, descriptors, slots and marks belong to GuestMemory, which self keeps alive; release() gives back the
// memory behind the mapping but keeps it mapped and readable.
unsafe impl godwit_ports::Memory for SharedMemory {
    fn base(&self) -> *mut u8 {
        self.0.base()
    }

    fn length_bytes(&self) -> u64 {
        self.0.mapping.length_bytes()
    }

    fn page_size_bytes(&self) -> u64 {
        PAGE_BYTES
    }

    fn userfault_fd(&self) -> i32 {
        self.0.userfault.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    fn vm_fd(&self) -> i32 {
        self.0.vm.as_raw_fd()
    }

    fn pagemap_fd(&self) -> i32 {
        self.0.pagemap.as_raw_fd()
    }

    fn slots(&self) -> &[MemorySlot] {
        &self.0.slots
    }

    fn device_marks(&self) -> Option<&[AtomicU64]> {
        Some(&self.0.device_marks)
    }

    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> std::result::Result<u64, CapsuleError> {
        self.0.check_run(first_page, page_count)?;
        present(&self.0.pagemap, self.0.base(), first_page, page_count, bitmap)
    }

    fn expect(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.0.check_run(first_page, page_count)?;
        self.0
            .expect_bytes(first_page * PAGE_BYTES, page_count * PAGE_BYTES)
            .map_err(os)
    }

    fn discard(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.0.check_run(first_page, page_count)?;
        let (offset, length) = (first_page * PAGE_BYTES, page_count * PAGE_BYTES);
        self.0.mapping.advise(offset, length, libc::MADV_DONTNEED).map_err(os)
    }
}

fn os(error: Error) -> CapsuleError {
    CapsuleError::Os(error.raw_os_error().unwrap_or(libc::EIO))
}

impl GuestDma for GuestMemory {
    fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8> {
        let end = guest_physical.checked_add(length as u64)?;
        let offset = offset_of(guest_physical)?;
        let piece_end = if guest_physical < HOLE_START {
            HOLE_START
        } else {
            u64::MAX
        };
        let fits = end <= piece_end && offset + length as u64 <= self.mapping.length_bytes();
        fits.then(|| self.mapping.base().wrapping_add(offset as usize))
    }

    fn mark_dirty(&self, guest_physical: u64, length: usize) {
        let Some(offset) = offset_of(guest_physical).filter(|_| length > 0) else {
            return;
        };
        for page in offset / PAGE_BYTES..=(offset + length as u64 - 1) / PAGE_BYTES {
            if let Some(word) = self.device_marks.get((page / 64) as usize) {
                // Always a read-modify-write: were the bit only looked at first, a collect between that look and now
                // could have taken the mark of an older write before this one became visible.
                word.fetch_or(1 << (page % 64), Ordering::Release);
            }
        }
    }
}
