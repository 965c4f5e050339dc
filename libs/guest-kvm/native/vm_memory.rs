//! A guest's memory as the VM has it: the mapping, and the memory slots over it.

use std::io::{Error, Result};
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU64;

use godwit_guest_host::{GuestMemory, HostMemory};
use godwit_guest_programs::layout::{HOLE_END, HOLE_START, PAGE_BYTES};
use godwit_ports::{CapsuleError, DirtyRings, MemorySlot, RingHarvester};
use kvm_bindings::{
    KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
    kvm_enable_cap, kvm_userspace_memory_region,
};
use kvm_ioctls::VmFd;

use crate::vcpu_rings::VcpuRings;

/// Bytes of the hole below 4 GiB.
const HOLE_BYTES: u64 = HOLE_END - HOLE_START;

/// Memory and its slots. Fields are dropped in this order: the VM before the mapping behind it.
pub struct VmMemory {
    vm: VmFd,
    slots: Vec<MemorySlot>,
    device_marks: Box<[AtomicU64]>,
    rings: Option<VcpuRings>,
    host: HostMemory,
}

impl VmMemory {
    /// Maps memory and gives it to a VM: pages below 3 GiB from address 0 on, the others from 4 GiB on. Nothing is
    /// populated.
    pub fn new(vm: VmFd, memory_bytes: u64, huge_pages: bool, record: bool) -> Result<Self> {
        let host = HostMemory::new(memory_bytes, HOLE_BYTES, huge_pages, record)?;
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
        let memory = Self {
            vm,
            slots,
            device_marks,
            rings: None,
            host,
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
            userspace_addr: self.host.base() as u64 + slot.first_page * PAGE_BYTES,
        };
        // SAFETY: the slot's range lies inside the mapping, which outlives the VM.
        unsafe { self.vm.set_user_memory_region(region) }.map_err(|error| Error::from_raw_os_error(error.errno()))
    }

    /// Takes a slot away, for good: one of a single page is left in its place. Without it a tracker that switches logging off
    /// afterwards would make the slot anew; with it KVM refuses, as it never changes the length of a slot.
    fn take_away(&self, slot: &MemorySlot) -> Result<()> {
        loop {
            self.set_slot(slot, 0)?;
            match self.set_slot(slot, PAGE_BYTES) {
                // A tracker came in between, and made the slot anew.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                result => return result,
            }
        }
    }

    /// The processors record their writes in these rings, and nowhere else.
    pub fn add_rings(&mut self, rings: VcpuRings) {
        self.rings = Some(rings);
    }

    /// The VM whose memory this is.
    pub const fn vm(&self) -> &VmFd {
        &self.vm
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

// SAFETY: descriptors, slots, marks and rings belong to self and are never replaced; there is a word of marks for each 64 pages.
unsafe impl GuestMemory for VmMemory {
    fn host(&self) -> &HostMemory {
        &self.host
    }

    fn vm_fd(&self) -> i32 {
        self.vm.as_raw_fd()
    }

    fn slots(&self) -> &[MemorySlot] {
        &self.slots
    }

    fn device_marks(&self) -> Option<&[AtomicU64]> {
        Some(&self.device_marks)
    }

    fn dirty_rings(&self) -> Option<&DirtyRings> {
        self.rings.as_ref().map(VcpuRings::as_ref)
    }

    fn set_ring_harvester(&self, harvester: Option<RingHarvester>) -> std::result::Result<(), CapsuleError> {
        self.rings
            .as_ref()
            .ok_or(CapsuleError::Unsupported)?
            .set_harvester(harvester);
        Ok(())
    }

    fn empty_rings(&self) {
        if let Some(rings) = &self.rings {
            rings.empty();
        }
    }

    /// Takes the slots away, and with them what the host keeps about them.
    fn detach(&self) -> Result<()> {
        self.slots.iter().try_for_each(|slot| self.take_away(slot))
    }
}
