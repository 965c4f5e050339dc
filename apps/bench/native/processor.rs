//! Which processors the calling thread, and the threads it starts from now on, may run on.

use std::io::{Error, Result};

/// Keeps the calling thread on one processor.
#[cfg(target_os = "linux")]
pub fn pin(processor: usize) -> Result<()> {
    // SAFETY: a cpu_set_t of zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if processor >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: the processor was checked to have its bit in the set.
    unsafe { libc::CPU_SET(processor, &mut set) };
    apply(&set)
}

/// Lets the calling thread run everywhere again.
#[cfg(target_os = "linux")]
pub fn unpin() -> Result<()> {
    // SAFETY: a cpu_set_t is plain bits, and the kernel ignores those of processors that are not there.
    let set: libc::cpu_set_t = unsafe { std::mem::transmute([0xff_u8; size_of::<libc::cpu_set_t>()]) };
    apply(&set)
}

#[cfg(target_os = "linux")]
fn apply(set: &libc::cpu_set_t) -> Result<()> {
    // SAFETY: 0 is the calling thread; the set is as long as said.
    match unsafe { libc::sched_setaffinity(0, size_of_val(set), set) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
pub fn pin(_processor: usize) -> Result<()> {
    Err(Error::from_raw_os_error(libc::ENOSYS))
}

#[cfg(not(target_os = "linux"))]
pub fn unpin() -> Result<()> {
    Ok(())
}
