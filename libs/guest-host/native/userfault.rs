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
    register(&descriptor, mapping)?;
    Ok(descriptor)
}

fn register(descriptor: &OwnedFd, mapping: &Mapping) -> Result<()> {
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
    Ok(())
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
    match open_with(0) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => open_with(UFFD_USER_MODE_ONLY),
        result => result,
    }
}

fn open_with(flags: i32) -> Result<OwnedFd> {
    let descriptor = create(flags)?;
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    const PAGE_BYTES: usize = 4096;
    const PAGE_IS_WRITTEN: u64 = 1 << 1;

    /// Fetches the first pages that were written, and protects them again.
    fn written(pagemap: &File, mapping: &Mapping, page_count: usize) -> Vec<usize> {
        let base = mapping.base() as u64;
        let mut regions = [[0_u64; 3]; 64];
        let end = base + (page_count * PAGE_BYTES) as u64;
        let (flags, room) = (0b11, regions.len() as u64);
        let to = regions.as_mut_ptr() as u64;
        let mut arguments = [
            96,
            flags,
            base,
            end,
            0,
            to,
            room,
            0,
            0,
            PAGE_IS_WRITTEN,
            0,
            PAGE_IS_WRITTEN,
        ];
        // SAFETY: struct pm_scan_arg is twelve 64-bit words, struct page_region three; there is room for as many as said.
        let found = unsafe { libc::ioctl(pagemap.as_raw_fd(), 0xc060_6610, arguments.as_mut_ptr()) };
        assert!(found >= 0, "{}", Error::last_os_error());
        let page = |address: u64| (address - base) as usize / PAGE_BYTES;
        regions[..found as usize]
            .iter()
            .flat_map(|[from, to, _]| page(*from)..page(*to))
            .collect()
    }

    #[test]
    fn writes_of_the_kernel_are_recorded_with_and_without_privileges() {
        for flags in [0, UFFD_USER_MODE_ONLY] {
            let mapping = Mapping::new(2 << 20).unwrap();
            let descriptor = match open_with(flags) {
                Err(error) => {
                    eprintln!("SKIPPED: {error}");
                    continue;
                }
                Ok(descriptor) => descriptor,
            };
            register(&descriptor, &mapping).unwrap();
            let pagemap = File::open("/proc/self/pagemap").unwrap();
            // SAFETY: eight pages of the mapping, which nobody else uses.
            let pages = unsafe { std::slice::from_raw_parts_mut(mapping.base(), 8 * PAGE_BYTES) };
            pages.fill(1);
            assert_eq!(written(&pagemap, &mapping, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
            assert_eq!(written(&pagemap, &mapping, 8), []);
            File::open("/dev/zero")
                .unwrap()
                .read_exact(&mut pages[3 * PAGE_BYTES..][..10])
                .unwrap();
            pages[5 * PAGE_BYTES] = 9;
            assert_eq!(written(&pagemap, &mapping, 8), [3, 5]);
            assert_eq!((pages[3 * PAGE_BYTES], pages[3 * PAGE_BYTES + 10]), (0, 1));
        }
    }
}
