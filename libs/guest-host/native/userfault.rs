//! A userfaultfd that records writes: asynchronous write protection, for trackers that scan page tables.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::mapping::Mapping;

const UFFD_API: u64 = 0xaa;
const UFFD_FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
const UFFD_FEATURE_WP_ASYNC: u64 = 1 << 15;
const UFFDIO_REGISTER_MODE_WP: u64 = 1 << 1;
/// Faults of user mode only, which takes no privilege. The kernel resolves asynchronous write protection by itself,
/// whoever writes, so nothing is lost by it.
const UFFD_USER_MODE_ONLY: i32 = 1;
/// `_IOWR(0xaa, 0x3f, struct uffdio_api)`.
const UFFDIO_API: u64 = 0xc018_aa3f;
/// `_IOWR(0xaa, 0x00, struct uffdio_register)`.
const UFFDIO_REGISTER: u64 = 0xc020_aa00;

/// Registers a whole mapping for asynchronous write protection. To be called before anybody else is told of the mapping.
pub fn record_writes(mapping: &Mapping) -> Result<OwnedFd> {
    let descriptor = open()?;
    let mut register = [
        mapping.base() as u64,
        mapping.length_bytes(),
        UFFDIO_REGISTER_MODE_WP,
        0,
    ];
    // SAFETY: struct uffdio_register is four 64-bit words: start, length, mode, ioctls; the range is ours.
    if unsafe { libc::ioctl(descriptor.as_raw_fd(), UFFDIO_REGISTER as _, register.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(descriptor)
}

/// Why writes to a mapping of this process cannot be recorded; nothing when they can.
pub fn recording_unavailable_because() -> Option<String> {
    let error = open().err()?;
    Some(match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no userfaultfd".into(),
        Some(libc::EPERM | libc::EACCES) => {
            "userfaultfd is not permitted here, as in containers whose system call filter leaves it out".into()
        }
        Some(libc::EINVAL) => "userfaultfd cannot record writes on this kernel (Linux 6.7)".into(),
        _ => format!("userfaultfd: {error}"),
    })
}

/// A userfaultfd for asynchronous write protection, not registered over anything yet.
fn open() -> Result<OwnedFd> {
    let descriptor = match create(0) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => create(UFFD_USER_MODE_ONLY)?,
        result => result?,
    };
    let mut api = [UFFD_API, UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC, 0];
    // SAFETY: struct uffdio_api is three 64-bit words: version, features, ioctls.
    if unsafe { libc::ioctl(descriptor.as_raw_fd(), UFFDIO_API as _, api.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(descriptor)
}

fn create(flags: i32) -> Result<OwnedFd> {
    // SAFETY: makes a new descriptor and nothing else.
    let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK | flags) };
    if descriptor < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}
