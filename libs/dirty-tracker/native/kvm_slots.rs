//! The memory slots of a KVM VM, as those who record its writes see them.

use godwit_ports::{Capsule, CapsuleError, MemoryTable};

use crate::kvm_ioctl::set_logging;

/// The VM behind a memory whose slots can be logged; says what is missing where there is none.
pub(crate) fn logged_vm(memory: &Capsule<MemoryTable>) -> Result<i32, String> {
    let Some(vm_fd) = memory.vm_fd() else {
        return Err("the memory has no KVM VM".into());
    };
    if memory.slots().is_empty() {
        return Err("the memory names no KVM memory slots".into());
    }
    for slot in memory.slots() {
        if memory.check_run(slot.first_page, slot.page_count).is_err() || slot.page_count > u64::from(u32::MAX) {
            return Err(format!("KVM memory slot {} does not lie in the memory", slot.slot));
        }
    }
    let system_page_bytes = system_page_bytes();
    if memory.page_size_bytes() != system_page_bytes {
        return Err(format!(
            "KVM logs pages of {system_page_bytes} bytes, the memory has another size"
        ));
    }
    Ok(vm_fd)
}

pub(crate) fn system_page_bytes() -> u64 {
    // SAFETY: sysconf reads a number and touches no memory.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// Switches the recording of writes on or off for all slots. Where the owner has put another slot in the place of one of
/// them, as it does when it gives the memory back, nothing is to be switched off, and switching on fails: closed.
pub(crate) fn switch_logging(memory: &Capsule<MemoryTable>, vm_fd: i32, on: bool) -> Result<(), CapsuleError> {
    let page_size_bytes = memory.page_size_bytes();
    let base = memory.base() as u64;
    let mut result = Ok(());
    for slot in memory.slots() {
        let host_address = base + slot.first_page * page_size_bytes;
        let size_bytes = slot.page_count * page_size_bytes;
        let switched = match set_logging(vm_fd, slot, host_address, size_bytes, on) {
            // KVM changes neither the length of a slot nor what lies behind it.
            Err(CapsuleError::Os(libc::EINVAL)) if on => Err(CapsuleError::Closed),
            Err(CapsuleError::Os(libc::EINVAL)) => Ok(()),
            switched => switched,
        };
        // All of them, even if one fails: the first failure is told.
        result = result.and(switched);
    }
    result
}
