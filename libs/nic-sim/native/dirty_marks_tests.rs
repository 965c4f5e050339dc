//! The card's writes against a tracker that fetches and clears marks at the worst moments: just before and just after
//! each of them is made.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cable::{Cable, NIC_PORT_COUNT};
use crate::descriptor::{Descriptor, OWNER_DEVICE, OWNER_GUEST};
use crate::device::tests::cable;
use crate::device::{Nic, NicConfig, PortConfig};
use crate::guest_dma::GuestDma;

const PAGE_BYTES: usize = 4096;
const PAGE_COUNT: usize = 64;
const ENTRY_COUNT: u32 = 32;

struct Memory {
    words: Box<[AtomicU64]>,
    copy: Box<[AtomicU64]>,
    marks: AtomicU64,
}

impl GuestDma for Memory {
    fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8> {
        let offset = usize::try_from(guest_physical).ok()?;
        let inside = offset.checked_add(length)? <= PAGE_COUNT * PAGE_BYTES;
        // SAFETY: the range was checked.
        inside.then(|| unsafe { self.words.as_ptr().cast_mut().cast::<u8>().add(offset) })
    }

    fn mark_dirty(&self, guest_physical: u64, length: usize) {
        self.collect();
        let first = guest_physical as usize / PAGE_BYTES;
        for page in first..=(guest_physical as usize + length - 1) / PAGE_BYTES {
            self.marks.fetch_or(1 << page, Ordering::AcqRel);
        }
        self.collect();
    }
}

impl Memory {
    fn new() -> Self {
        let words = || (0..PAGE_COUNT * PAGE_BYTES / 8).map(|_| AtomicU64::new(0)).collect();
        Self {
            words: words(),
            copy: words(),
            marks: AtomicU64::new(0),
        }
    }

    /// Fetches and clears the marks and copies the pages.
    fn collect(&self) {
        let marks = self.marks.swap(0, Ordering::AcqRel);
        for page in (0..PAGE_COUNT).filter(|page| marks & (1 << page) != 0) {
            for word in page * PAGE_BYTES / 8..(page + 1) * PAGE_BYTES / 8 {
                self.copy[word].store(self.words[word].load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    fn equals_copy(&self) -> bool {
        let mut words = self.words.iter().zip(&self.copy);
        words.all(|(here, there)| here.load(Ordering::Relaxed) == there.load(Ordering::Relaxed))
    }

    fn descriptor(&self, ring: u64, index: u32) -> &Descriptor {
        let at = self.at(ring + u64::from(index) * 16, 16).unwrap();
        // SAFETY: inside the memory, aligned, all fields atomic.
        unsafe { &*at.cast() }
    }

    /// The driver's part: takes received frames and offers their buffers again. Its own writes are marked, too.
    fn offer_again(&self, port: &PortConfig, next: &mut u32) {
        loop {
            let descriptor = self.descriptor(port.rx_ring_address, *next);
            if descriptor.owner.load(Ordering::Acquire) != OWNER_GUEST {
                return;
            }
            let buffer = 0x4000 + (port.rx_ring_address * 16) + u64::from(*next) * 2048;
            descriptor.buffer_address.store(buffer, Ordering::Relaxed);
            descriptor.owner.store(OWNER_DEVICE, Ordering::Release);
            self.mark_dirty(port.rx_ring_address + u64::from(*next) * 16, 16);
            *next = (*next + 1) % ENTRY_COUNT;
        }
    }
}

#[test]
fn the_copy_of_a_tracker_that_collects_around_every_mark_is_the_memory_whenever_the_card_is_quiet() {
    let (mut world, path) = cable("marks");
    let port = |index: u64| PortConfig {
        mac: [2, 0, 0, 0, 0, index as u8],
        rx_ring_address: index * 0x1000,
        tx_ring_address: index * 0x1000 + 0x800,
        entry_count: ENTRY_COUNT,
    };
    let config = NicConfig {
        ports: [port(0), port(1)],
        buffer_bytes: 2048,
    };
    let memory = Memory::new();
    let mut nic = Nic::new(config, Some(Cable::open(&path).unwrap()));
    nic.connect();
    let mut next = [0; NIC_PORT_COUNT];
    for round in 0..200_u64 {
        for (port, next) in config.ports.iter().zip(&mut next) {
            memory.offer_again(port, next);
        }
        for port in 0..NIC_PORT_COUNT {
            for index in 0..8 {
                assert!(
                    world
                        .to_guest(port)
                        .push(&(round * 8 + index + 1).to_le_bytes().repeat(8))
                );
            }
        }
        assert_eq!(nic.poll(&memory, 32), 16);
        // The card is quiet: the last collection.
        memory.collect();
        assert!(memory.equals_copy(), "round {round}");
    }
}
