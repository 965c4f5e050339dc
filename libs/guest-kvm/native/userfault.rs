//! A userfaultfd that records writes: asynchronous write protection, for trackers that scan page tables.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::mapping::Mapping;

const UFFD_API: u64 = 0xaa;
const UFFD_FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
const UFFD_FEATURE_WP_ASYNC: u64 = 1 << 15;
const UFFDIO_REGISTER_MODE_WP: u64 = 1 << 1;
/// `_IOWR(0xaa, 0x3f, struct uffdio_api)`.
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
/// `_IOWR(0xaa, 0x00, struct uffdio_register)`.
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;

/// Registers a whole mapping for asynchronous write protection. To be called before the mapping becomes a memory slot.
pub fn record_writes(mapping: &Mapping) -> Result<OwnedFd> {
    // SAFETY: makes a new descriptor and nothing else.
    let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) };
    if descriptor < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
    let mut api = [UFFD_API, UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC, 0];
    // SAFETY: struct uffdio_api is three 64-bit words: version, features, ioctls.
    if unsafe { libc::ioctl(descriptor.as_raw_fd(), UFFDIO_API, api.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    let mut register = [
        mapping.base() as u64,
        mapping.length_bytes(),
        UFFDIO_REGISTER_MODE_WP,
        0,
    ];
    // SAFETY: struct uffdio_register is four 64-bit words: start, length, mode, ioctls; the range is ours.
    if unsafe { libc::ioctl(descriptor.as_raw_fd(), UFFDIO_REGISTER, register.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(descriptor)
}
