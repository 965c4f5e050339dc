//! The rings through which a guest and its network card exchange frames. Both sides include this file; everything in it
//! lies in guest memory and travels with it.
//!
//! A ring is `entry_count` descriptors (a power of two) in a row. An entry belongs to the card while `owner` is
//! [`OWNER_DEVICE`], else to the guest. The side that gives an entry away writes everything else first and `owner` last,
//! with release ordering; the other side reads `owner` first, with acquire ordering. Each side walks the ring in order.

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The entry belongs to the guest: an RX entry holds a received frame, a TX entry has been sent.
pub const OWNER_GUEST: u32 = 0;
/// The entry belongs to the card: an RX entry offers an empty buffer, a TX entry a frame to be sent.
pub const OWNER_DEVICE: u32 = 1;
/// Size of one [`Descriptor`] in bytes.
pub const DESCRIPTOR_BYTES: u64 = 16;
/// Ports of a card.
pub const PORT_COUNT: usize = 2;
/// Entries of each of a port's two rings.
pub const RING_ENTRY_COUNT: u32 = 1024;
/// What a guest offers for one frame: a buffer address in a descriptor has this many bytes behind it.
pub const FRAME_BYTES_MAX: u64 = 2048;

/// One entry of a ring.
#[repr(C)]
pub struct Descriptor {
    /// Guest-physical address of the frame's first byte.
    pub buffer_address: AtomicU64,
    /// Length of the frame.
    pub length_bytes: AtomicU16,
    /// Zero.
    pub reserved: AtomicU16,
    /// [`OWNER_GUEST`] or [`OWNER_DEVICE`]; any other value from a hostile guest counts as [`OWNER_GUEST`].
    pub owner: AtomicU32,
}

const _: () = assert!(size_of::<Descriptor>() as u64 == DESCRIPTOR_BYTES);

impl Descriptor {
    /// Whether the entry belongs to the guest; what it holds may be read afterwards.
    #[inline]
    pub fn is_guest_owned(&self) -> bool {
        self.owner.load(Ordering::Acquire) != OWNER_DEVICE
    }

    /// Gives the entry, with its buffer, to the card.
    #[inline]
    pub fn give_to_device(&self, buffer_address: u64, length_bytes: u16) {
        self.buffer_address.store(buffer_address, Ordering::Relaxed);
        self.length_bytes.store(length_bytes, Ordering::Relaxed);
        self.owner.store(OWNER_DEVICE, Ordering::Release);
    }

    /// Gives the entry back to the guest, with the length of what it holds now.
    #[inline]
    pub fn give_to_guest(&self, length_bytes: u16) {
        self.length_bytes.store(length_bytes, Ordering::Relaxed);
        self.owner.store(OWNER_GUEST, Ordering::Release);
    }
}
