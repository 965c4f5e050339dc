//! A descriptor in guest memory, shared by the card and the guest's driver.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

/// The descriptor belongs to the guest: a received frame to take, or a free place to send from.
pub const OWNER_GUEST: u32 = 0;
/// The descriptor belongs to the card: an empty buffer to fill, or a frame to send.
pub const OWNER_DEVICE: u32 = 1;

/// One entry of a descriptor ring, 16 bytes. The owner is written last, with release, and read first, with acquire;
/// only the owner touches the rest and the buffer.
#[repr(C)]
pub struct Descriptor {
    /// Guest-physical address of the buffer.
    pub buffer_address: AtomicU64,
    /// Bytes of the frame in the buffer.
    pub length_bytes: AtomicU16,
    /// Zero.
    pub reserved: AtomicU16,
    /// [`OWNER_GUEST`] or [`OWNER_DEVICE`].
    pub owner: AtomicU32,
}

/// Bytes of a [`Descriptor`].
pub const DESCRIPTOR_BYTES: usize = 16;

const _: () = assert!(size_of::<Descriptor>() == DESCRIPTOR_BYTES);
