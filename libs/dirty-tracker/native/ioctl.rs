use std::ffi::c_int;

use godwit_ports::CapsuleError;

const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

const fn number(direction: u32, kind: u8, number: u8, size_bytes: usize) -> u32 {
    direction << 30 | (size_bytes as u32) << 16 | (kind as u32) << 8 | number as u32
}

/// `_IO(kind, nr)` of the kernel's headers.
pub(crate) const fn io(kind: u8, nr: u8) -> u32 {
    number(NONE, kind, nr, 0)
}

/// `_IOW(kind, nr, T)`.
pub(crate) const fn iow<T>(kind: u8, nr: u8) -> u32 {
    number(WRITE, kind, nr, size_of::<T>())
}

/// `_IOWR(kind, nr, T)`.
pub(crate) const fn iowr<T>(kind: u8, nr: u8) -> u32 {
    number(READ | WRITE, kind, nr, size_of::<T>())
}

/// Calls `ioctl` with a pointer, again where a signal interrupted it.
///
/// # Safety
/// `argument` is what `request` wants on this descriptor, with every pointer in it valid for what the kernel does.
pub(crate) unsafe fn call<T>(fd: c_int, request: u32, argument: &mut T) -> Result<u64, CapsuleError> {
    loop {
        // SAFETY: the caller vouches for the argument; the reference keeps it in place.
        let result = unsafe { libc::ioctl(fd, request as _, std::ptr::from_mut(argument)) };
        if result >= 0 {
            return Ok(result as u64);
        }
        match CapsuleError::last_os() {
            CapsuleError::Os(libc::EINTR) => {}
            error => return Err(error),
        }
    }
}
