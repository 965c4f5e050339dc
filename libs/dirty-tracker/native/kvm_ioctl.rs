//! The ioctls of a KVM VM that concern its dirty log and its dirty rings (`Documentation/virt/kvm/api.rst`).

use godwit_ports::{CapsuleError, MemorySlot};
use kvm_bindings::{
    KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
    KVM_MEM_LOG_DIRTY_PAGES, kvm_clear_dirty_log, kvm_clear_dirty_log__bindgen_ty_1, kvm_dirty_log,
    kvm_dirty_log__bindgen_ty_1, kvm_enable_cap, kvm_userspace_memory_region,
};

use crate::ioctl;

const KVMIO: u8 = 0xae;
const KVM_CHECK_EXTENSION: u32 = ioctl::io(KVMIO, 0x03);
const KVM_GET_DIRTY_LOG: u32 = ioctl::iow::<kvm_dirty_log>(KVMIO, 0x42);
const KVM_SET_USER_MEMORY_REGION: u32 = ioctl::iow::<kvm_userspace_memory_region>(KVMIO, 0x46);
const KVM_ENABLE_CAP: u32 = ioctl::iow::<kvm_enable_cap>(KVMIO, 0xa3);
const KVM_CLEAR_DIRTY_LOG: u32 = ioctl::iowr::<kvm_clear_dirty_log>(KVMIO, 0xc0);
const KVM_RESET_DIRTY_RINGS: u32 = ioctl::io(KVMIO, 0xc7);

/// Whether looking at the log and clearing it are two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogProtection {
    /// One step: fetching clears, all at once.
    Automatic,
    /// Two steps; switching the log on protects every page at once.
    Manual,
    /// Two steps; the log begins with every page in it and nothing protected, so that also the first protection is done
    /// piece by piece.
    ManualFromAllSet,
}

/// Separates fetching the log from clearing it, as far as this KVM can; returns how far that is.
pub(crate) fn enable_manual_protect(vm_fd: i32) -> Result<LogProtection, CapsuleError> {
    // SAFETY: KVM_CHECK_EXTENSION takes a number and touches no memory.
    let offered = unsafe { libc::ioctl(vm_fd, KVM_CHECK_EXTENSION as _, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) };
    if offered < 0 {
        return Err(CapsuleError::last_os());
    }
    let flags = offered as u32 & (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
    if flags & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE == 0 {
        return Ok(LogProtection::Automatic);
    }
    set_manual_protect(vm_fd, flags)?;
    Ok(if flags & KVM_DIRTY_LOG_INITIALLY_SET == 0 {
        LogProtection::Manual
    } else {
        LogProtection::ManualFromAllSet
    })
}

/// Has every page protected when recording is switched on: rings need it, as nobody clears anything at first.
pub(crate) fn disable_manual_protect(vm_fd: i32) -> Result<(), CapsuleError> {
    match set_manual_protect(vm_fd, 0) {
        // A KVM that knows no manual protection protects so anyway.
        Err(CapsuleError::Os(libc::EINVAL)) => Ok(()),
        result => result,
    }
}

fn set_manual_protect(vm_fd: i32, flags: u32) -> Result<(), CapsuleError> {
    let mut capability = kvm_enable_cap {
        cap: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
        ..Default::default()
    };
    capability.args[0] = u64::from(flags);
    // SAFETY: the argument has the kernel's layout and no pointers.
    unsafe { ioctl::call(vm_fd, KVM_ENABLE_CAP, &mut capability) }.map(drop)
}

/// Makes room in the rings of all processors for entries that were marked as harvested, and protects their pages again.
pub(crate) fn reset_rings(vm_fd: i32) -> Result<u64, CapsuleError> {
    loop {
        // SAFETY: KVM_RESET_DIRTY_RINGS takes no argument and touches no memory but the rings, which expect it.
        let result = unsafe { libc::ioctl(vm_fd, KVM_RESET_DIRTY_RINGS as _) };
        if result >= 0 {
            return Ok(result as u64);
        }
        match CapsuleError::last_os() {
            // What was reset until the signal came stays reset.
            CapsuleError::Os(libc::EINTR) => {}
            error => return Err(error),
        }
    }
}

/// Switches the dirty log of a slot that lies at `host_address` on or off.
pub(crate) fn set_logging(
    vm_fd: i32,
    slot: &MemorySlot,
    host_address: u64,
    size_bytes: u64,
    on: bool,
) -> Result<(), CapsuleError> {
    let mut region = kvm_userspace_memory_region {
        slot: slot.slot,
        flags: if on { KVM_MEM_LOG_DIRTY_PAGES } else { 0 },
        guest_phys_addr: slot.guest_physical_address,
        memory_size: size_bytes,
        userspace_addr: host_address,
    };
    // SAFETY: the argument has the kernel's layout; the owner of the capsule keeps the mapping behind it.
    unsafe { ioctl::call(vm_fd, KVM_SET_USER_MEMORY_REGION, &mut region) }.map(drop)
}

/// Fetches the log of a slot of `page_count` pages into `words`; clears it too where manual protection is off.
pub(crate) fn get_log(vm_fd: i32, slot: u32, page_count: u64, words: &mut [u64]) -> Result<(), CapsuleError> {
    assert!(words.len() as u64 >= page_count.div_ceil(64));
    let mut log = kvm_dirty_log {
        slot,
        padding1: 0,
        __bindgen_anon_1: kvm_dirty_log__bindgen_ty_1 {
            dirty_bitmap: words.as_mut_ptr().cast(),
        },
    };
    // SAFETY: KVM writes one bit a page of the slot, rounded up to words, for which there is room.
    unsafe { ioctl::call(vm_fd, KVM_GET_DIRTY_LOG, &mut log) }.map(drop)
}

/// Clears the bits set in `words` from the log and protects those pages again; `words` begins at `first_page`, a
/// multiple of 64, and `page_count` is one too unless it reaches the end of the slot.
pub(crate) fn clear_log(
    vm_fd: i32,
    slot: u32,
    first_page: u64,
    page_count: u64,
    words: &mut [u64],
) -> Result<(), CapsuleError> {
    assert!(words.len() as u64 >= page_count.div_ceil(64));
    let mut log = kvm_clear_dirty_log {
        slot,
        num_pages: page_count as u32,
        first_page,
        __bindgen_anon_1: kvm_clear_dirty_log__bindgen_ty_1 {
            dirty_bitmap: words.as_mut_ptr().cast(),
        },
    };
    // SAFETY: KVM reads one bit a page, rounded up to words, which are there.
    unsafe { ioctl::call(vm_fd, KVM_CLEAR_DIRTY_LOG, &mut log) }.map(drop)
}
