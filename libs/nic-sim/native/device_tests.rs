use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::announcement::announcement_mac;
use crate::descriptor::{Descriptor, OWNER_DEVICE, OWNER_GUEST};

pub(crate) const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 1, 1]];
const ENTRY_COUNT: u32 = 8;
const MEMORY_BYTES: usize = 256 * 1024;
const BASE: u64 = 0x10_0000;

/// Guest memory with a driver that offers buffers and takes frames.
pub(crate) struct Guest {
    words: Box<[AtomicU64]>,
    pub dirty: RefCell<Vec<(u64, usize)>>,
}

impl GuestDma for Guest {
    fn at(&self, guest_physical: u64, length: usize) -> Option<*mut u8> {
        let offset = usize::try_from(guest_physical.checked_sub(BASE)?).ok()?;
        if offset.checked_add(length)? > MEMORY_BYTES {
            return None;
        }
        // SAFETY: the range was checked.
        Some(unsafe { self.words.as_ptr().cast_mut().cast::<u8>().add(offset) })
    }

    fn mark_dirty(&self, guest_physical: u64, length: usize) {
        self.dirty.borrow_mut().push((guest_physical, length));
    }
}

pub(crate) fn config() -> NicConfig {
    let port = |index: usize| PortConfig {
        mac: MACS[index],
        rx_ring_address: BASE + 0x1000 * index as u64,
        tx_ring_address: BASE + 0x1000 * index as u64 + 0x800,
        entry_count: ENTRY_COUNT,
    };
    NicConfig {
        ports: [port(0), port(1)],
        buffer_bytes: 2176,
    }
}

impl Guest {
    pub fn new() -> Self {
        Self {
            words: (0..MEMORY_BYTES / 8).map(|_| AtomicU64::new(0)).collect(),
            dirty: RefCell::new(Vec::new()),
        }
    }

    pub fn descriptor(&self, ring: u64, index: u32) -> &Descriptor {
        let at = self.at(ring + u64::from(index) * 16, 16).unwrap();
        // SAFETY: inside the memory, aligned, all fields atomic.
        unsafe { &*at.cast() }
    }

    pub fn buffer(ring: u64, index: u32) -> u64 {
        BASE + 0x4000 + (ring - BASE) * 24 + u64::from(index) * 2176
    }

    pub fn offer(&self, port: usize) {
        let ring = config().ports[port].rx_ring_address;
        for index in 0..ENTRY_COUNT {
            self.give(ring, index, Self::buffer(ring, index), 0);
        }
    }

    pub fn give(&self, ring: u64, index: u32, address: u64, length: u16) {
        let descriptor = self.descriptor(ring, index);
        descriptor.buffer_address.store(address, Ordering::Relaxed);
        descriptor.length_bytes.store(length, Ordering::Relaxed);
        descriptor.owner.store(OWNER_DEVICE, Ordering::Release);
    }

    pub fn received(&self, port: usize, index: u32) -> Option<Vec<u8>> {
        let ring = config().ports[port].rx_ring_address;
        let descriptor = self.descriptor(ring, index);
        if descriptor.owner.load(Ordering::Acquire) != OWNER_GUEST {
            return None;
        }
        let length = usize::from(descriptor.length_bytes.load(Ordering::Relaxed));
        let at = self.at(descriptor.buffer_address.load(Ordering::Relaxed), length)?;
        // SAFETY: `at` checked the range; nobody writes it in these tests.
        Some(unsafe { std::slice::from_raw_parts(at, length) }.to_vec())
    }
}

pub(crate) fn cable(name: &str) -> (Cable, PathBuf) {
    let path = PathBuf::from(format!("/dev/shm/godwit-nic-test-{}-{name}", std::process::id()));
    (Cable::create(&path, 8192).unwrap(), path)
}

fn sent(world: &mut Cable, port: usize) -> Option<Vec<u8>> {
    let mut frame = [0; MAX_FRAME_BYTES];
    world
        .from_guest(port)
        .pop(&mut frame)
        .map(|length| frame[..length].to_vec())
}

#[test]
fn frames_go_both_ways_and_every_written_byte_is_marked() {
    let (mut world, path) = cable("both");
    let guest = Guest::new();
    let mut nic = Nic::new(config(), Some(Cable::open(&path).unwrap()));
    assert_eq!(nic.poll(&guest, 32), 0);
    nic.announce();
    for (port, mac) in MACS.iter().enumerate() {
        assert_eq!(announcement_mac(&sent(&mut world, port).unwrap()), Some(*mac));
        guest.offer(port);
        for index in 0..10 {
            assert!(world.to_guest(port).push(&[index + 1; 64]));
        }
    }
    assert_eq!(nic.poll(&guest, 32), 16);
    assert_eq!(guest.received(0, 0), Some(vec![1; 64]));
    assert_eq!(guest.received(1, 7), Some(vec![8; 64]));
    assert_eq!(
        guest.dirty.borrow().iter().filter(|(_, length)| *length == 64).count(),
        16
    );
    let ring = config().ports[0].rx_ring_address;
    assert!(guest.dirty.borrow().contains(&(ring, 8 * 16)));
    guest.dirty.borrow_mut().clear();
    guest.offer(0);
    assert_eq!(nic.poll(&guest, 1), 1);
    assert_eq!(guest.received(0, 0), Some(vec![9; 64]));
    assert_eq!(nic.counters(0).received_frames, 9);

    let ring = config().ports[1].tx_ring_address;
    guest.give(ring, 0, Guest::buffer(ring, 0), 60);
    guest.dirty.borrow_mut().clear();
    assert_eq!(nic.poll(&guest, 0), 0);
    assert_eq!(nic.poll(&guest, 32), 2);
    assert_eq!(sent(&mut world, 1), Some(vec![0; 60]));
    assert_eq!(guest.descriptor(ring, 0).owner.load(Ordering::Acquire), OWNER_GUEST);
    assert!(guest.dirty.borrow().contains(&(ring, 16)));
    drop(nic);
    assert!(!world.is_attached());
}

#[test]
fn marks_of_a_burst_around_the_end_of_the_ring_cover_both_parts() {
    let (mut world, path) = cable("around");
    let guest = Guest::new();
    let mut nic = Nic::new(config(), Some(Cable::open(&path).unwrap()));
    nic.connect();
    let ring = config().ports[0].rx_ring_address;
    for count in [6, 5] {
        guest.dirty.borrow_mut().clear();
        guest.offer(0);
        for _ in 0..count {
            assert!(world.to_guest(0).push(&[1; 64]));
        }
        assert_eq!(nic.poll(&guest, 32), count);
    }
    assert!(guest.dirty.borrow().contains(&(ring + 6 * 16, 2 * 16)));
    assert!(guest.dirty.borrow().contains(&(ring, 3 * 16)));
}

#[test]
fn hostile_descriptors_are_counted_and_given_back() {
    let (mut world, path) = cable("hostile");
    let guest = Guest::new();
    let mut nic = Nic::new(config(), Some(Cable::open(&path).unwrap()));
    nic.connect();
    let tx = config().ports[0].tx_ring_address;
    let good = Guest::buffer(tx, 0);
    for (index, (address, length)) in [
        (0, 64),
        (u64::MAX, 64),
        (BASE + MEMORY_BYTES as u64 - 10, 64),
        (good, 0),
        (good, u16::MAX),
        (good, 64),
    ]
    .into_iter()
    .enumerate()
    {
        guest.give(tx, index as u32, address, length);
    }
    let rx = config().ports[0].rx_ring_address;
    guest.give(rx, 0, u64::MAX - 3, 0);
    guest.give(rx, 1, BASE - 1, 0);
    guest.give(rx, 2, Guest::buffer(rx, 2), 0);
    assert!(world.to_guest(0).push(&[5; 64]));
    assert_eq!(nic.poll(&guest, 32), 2);
    assert_eq!(nic.counters(0).descriptor_errors, 7);
    assert_eq!(guest.received(0, 2), Some(vec![5; 64]));
    assert_eq!(sent(&mut world, 0), Some(vec![0; 64]));

    let mut lost = config();
    lost.ports[0].rx_ring_address = 0;
    lost.ports[1].tx_ring_address = BASE + MEMORY_BYTES as u64 - 16;
    let mut nic = Nic::new(lost, None);
    nic.poll(&guest, 32);
    assert_eq!(nic.counters(0).descriptor_errors + nic.counters(1).descriptor_errors, 2);
}

#[test]
fn a_full_cable_holds_frames_back_and_a_missing_one_drops_them() {
    let (mut world, path) = cable("full");
    let guest = Guest::new();
    let mut nic = Nic::new(config(), Some(Cable::open(&path).unwrap()));
    nic.connect();
    let ring = config().ports[0].tx_ring_address;
    let mut moved = 0;
    loop {
        for index in 0..ENTRY_COUNT {
            guest.give(ring, index, Guest::buffer(ring, index), 1000);
        }
        match nic.poll(&guest, 8) {
            8 => moved += 8,
            rest => break moved += rest,
        }
    }
    assert_eq!(moved, 8);
    assert_eq!(nic.counters(0).send_dropped_frames, 0);
    // The announcement waits too.
    nic.announce();
    let queued = std::iter::from_fn(|| sent(&mut world, 0)).count();
    nic.poll(&guest, 0);
    assert_eq!(
        sent(&mut world, 0).and_then(|frame| announcement_mac(&frame)),
        Some(MACS[0]).filter(|_| queued == 8)
    );
    assert_eq!(nic.poll(&guest, 8), 8);
    nic.disconnect();
    guest.give(ring, 0, Guest::buffer(ring, 0), 64);
    assert_eq!(nic.poll(&guest, 8), 0);
    assert_eq!(nic.counters(0).send_dropped_frames, 1);
}
