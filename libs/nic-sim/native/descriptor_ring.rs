//! The card's side of one descriptor ring in guest memory.

use std::sync::atomic::Ordering;

use crate::descriptor::{DESCRIPTOR_BYTES, Descriptor, OWNER_DEVICE, OWNER_GUEST};
use crate::guest_dma::GuestDma;

/// Where a ring lies and which entry is next.
pub(crate) struct DescriptorRing {
    pub guest_physical: u64,
    pub entry_count: u32,
    pub next: u32,
}

impl DescriptorRing {
    /// Resolves the ring for one poll; none when its address is not memory of the guest.
    pub fn open<'a, M: GuestDma + ?Sized>(&'a mut self, memory: &'a M) -> Option<OpenRing<'a, M>> {
        let base = memory.at(self.guest_physical, self.entry_count as usize * DESCRIPTOR_BYTES)?;
        if !base.cast::<Descriptor>().is_aligned() {
            return None;
        }
        let first = self.next;
        Some(OpenRing {
            ring: self,
            memory,
            base: base.cast(),
            first,
            written: 0,
        })
    }
}

/// A ring during one poll. The descriptors it gives back are marked dirty when it is dropped, after the last write.
pub(crate) struct OpenRing<'a, M: GuestDma + ?Sized> {
    ring: &'a mut DescriptorRing,
    memory: &'a M,
    base: *mut Descriptor,
    first: u32,
    written: u32,
}

impl<M: GuestDma + ?Sized> OpenRing<'_, M> {
    fn descriptor(&self) -> &Descriptor {
        // SAFETY: `at` gave memory for `entry_count` descriptors that stays mapped during the poll, `next` is below
        // `entry_count` (masked by a power of two), the address is aligned (checked), and all fields are atomics, so
        // the guest may write them meanwhile.
        unsafe { &*self.base.add(self.ring.next as usize) }
    }

    /// Buffer address and length of the next descriptor, when it is the card's and not all were given back already.
    pub fn next(&self) -> Option<(u64, usize)> {
        let descriptor = self.descriptor();
        if self.written == self.ring.entry_count || descriptor.owner.load(Ordering::Acquire) != OWNER_DEVICE {
            return None;
        }
        let length = descriptor.length_bytes.load(Ordering::Relaxed);
        Some((descriptor.buffer_address.load(Ordering::Relaxed), usize::from(length)))
    }

    /// Gives the next descriptor back to the guest; with a length where a frame was received into it.
    pub fn give_back(&mut self, received_bytes: Option<usize>) {
        let descriptor = self.descriptor();
        if let Some(length) = received_bytes {
            descriptor.length_bytes.store(length as u16, Ordering::Relaxed);
        }
        descriptor.owner.store(OWNER_GUEST, Ordering::Release);
        self.ring.next = (self.ring.next + 1) & (self.ring.entry_count - 1);
        self.written += 1;
    }

    fn mark(&self, first: u32, count: u32) {
        if count > 0 {
            let offset = u64::from(first) * DESCRIPTOR_BYTES as u64;
            self.memory
                .mark_dirty(self.ring.guest_physical + offset, count as usize * DESCRIPTOR_BYTES);
        }
    }
}

impl<M: GuestDma + ?Sized> Drop for OpenRing<'_, M> {
    fn drop(&mut self) {
        let until_end = (self.ring.entry_count - self.first).min(self.written);
        self.mark(self.first, until_end);
        self.mark(0, self.written - until_end);
    }
}
