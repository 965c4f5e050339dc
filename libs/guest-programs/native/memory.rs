//! A guest's memory, seen from inside the guest or from its host.

use core::ptr::with_exposed_provenance_mut;

use crate::layout::HOLE_END;

/// Translates guest-physical addresses to pointers: inside the guest the identity, in a host the place in its mapping.
#[derive(Clone, Copy)]
pub struct Memory {
    base: usize,
    hole_bytes: usize,
}

impl Memory {
    /// The memory whose byte at guest-physical address `a` lies at `base + a`, or at `base + a - hole_bytes` from
    /// 4 GiB on (a mapping of a guest with a hole leaves the hole out; one without a hole says 0).
    ///
    /// # Safety
    /// As long as the value or a copy is used, everything a [`crate::Plan`] of this memory's size places is mapped,
    /// readable and writable, and only guest programs, devices of the guest and the migration access it.
    pub unsafe fn new(base: *mut u8, hole_bytes: u64) -> Self {
        Self {
            base: base.expose_provenance(),
            hole_bytes: hole_bytes as usize,
        }
    }

    /// The pointer to a guest-physical address.
    #[inline(always)]
    pub fn at<T>(self, address: u64) -> *mut T {
        let hole_bytes = if address >= HOLE_END { self.hole_bytes } else { 0 };
        with_exposed_provenance_mut(self.base + address as usize - hole_bytes)
    }
}
