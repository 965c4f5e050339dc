//! The marks of devices of this process, whose writes are in no record of a VM's.

use std::sync::atomic::Ordering;

use godwit_ports::{Capsule, MemoryTable};

/// Fetches and clears the marks; `take` is given the index of each word that has any, and its bits. A device marks a page
/// *after* it has written it: marked before, the write could fall behind the collection that takes the mark.
pub(crate) fn take_device_marks(memory: &Capsule<MemoryTable>, mut take: impl FnMut(usize, u64)) {
    for (index, mark) in memory.device_marks().unwrap_or_default().iter().enumerate() {
        // Most words are empty, and a read does not take the cache line from the device.
        if mark.load(Ordering::Relaxed) != 0 {
            // Acquire: what the device wrote before it marked is visible to whoever reads the page now.
            take(index, mark.swap(0, Ordering::AcqRel));
        }
    }
}
