//! What DPDK's l2fwd example does: takes frames from one port in bursts of 32, swaps their MAC addresses, sends them out
//! of the other port, and recycles the buffers. Poll mode, no interrupts. Every change of a buffer's place is checked
//! against the buffer's own header, and the places must add up to the whole pool after every step.

use core::sync::atomic::Ordering::Relaxed;

use crate::control::{ControlBlock, ErrorKind, VcpuBlock, add};
use crate::idle::check_next_resident_page;
use crate::layout::{FORWARDER_ADDRESS, rx_ring_address, tx_ring_address};
use crate::memory::Memory;
use crate::nic_layout::{DESCRIPTOR_BYTES, Descriptor, FRAME_BYTES_MAX, PORT_COUNT, RING_ENTRY_COUNT};
use crate::pool::{self, BUFFER_COUNT, BufferState, POOL_STATE_BYTES, Pool};
use crate::program::{Command, Host};

/// Frames taken at once.
pub const BURST: u32 = 32;
/// Bursts of one port before the other port has its turn.
const BURSTS_PER_STEP: u32 = RING_ENTRY_COUNT / BURST;
/// Buffers looked at in each step, in turn.
const AUDITED_PER_STEP: u64 = 2;
/// A resident page is checked every so many steps.
const STEPS_PER_RESIDENT_PAGE: u64 = 64;
/// No frame is shorter than its addresses and type.
const FRAME_BYTES_MIN: u64 = 14;

/// The software's half of a ring. Lies in guest memory.
#[repr(C)]
struct Ring {
    /// Entries `[first, first + used)` hold our buffers: offered for receiving, or waiting to be sent.
    first: u32,
    used: u32,
    /// Which buffer lies in an entry.
    buffers: [u16; RING_ENTRY_COUNT as usize],
}

#[repr(C)]
struct Rings {
    rx: [Ring; PORT_COUNT],
    tx: [Ring; PORT_COUNT],
}

const _: () = assert!(FORWARDER_ADDRESS + POOL_STATE_BYTES + size_of::<Rings>() as u64 <= crate::layout::POOL_ADDRESS);

/// Where the buffers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accounting {
    /// In the ring of free buffers.
    pub free: u32,
    /// In the core's cache.
    pub cached: u32,
    /// In the RX rings.
    pub rx: u32,
    /// In the TX rings.
    pub tx: u32,
}

impl Accounting {
    /// Whether no buffer is lost or doubled.
    pub const fn adds_up(&self) -> bool {
        self.free as u64 + self.cached as u64 + self.rx as u64 + self.tx as u64 == BUFFER_COUNT as u64
    }
}

/// Makes the pool and offers buffers to the card. Before the guest runs.
pub fn prepare(memory: Memory) {
    // SAFETY: the guest does not run yet, so its host is alone.
    let (pool, rings) = unsafe { (Pool::of(memory), rings_of(memory)) };
    pool.prepare(memory);
    for ring in rings.rx.iter_mut().chain(&mut rings.tx) {
        (ring.first, ring.used) = (0, 0);
    }
    let block = VcpuBlock::of(memory, 0);
    for port in 0..PORT_COUNT {
        refill(memory, block, pool, &mut rings.rx[port], port);
    }
}

/// Forwards what is there, and rings the card.
pub fn step(memory: Memory, control: &ControlBlock, host: &mut impl Host) {
    let block = VcpuBlock::of(memory, 0);
    // SAFETY: the forwarder runs on one processor, and its host looks at this only while it is paused.
    let (pool, rings) = unsafe { (Pool::of(memory), rings_of(memory)) };
    for port in 0..PORT_COUNT {
        let other = port ^ 1;
        for _ in 0..BURSTS_PER_STEP {
            reap(memory, block, pool, &mut rings.tx[other], other);
            let received = forward_burst(
                memory,
                block,
                pool,
                &mut rings.rx[port],
                port,
                &mut rings.tx[other],
                other,
            );
            refill(memory, block, pool, &mut rings.rx[port], port);
            if received < BURST {
                break;
            }
        }
    }
    let steps = block.heartbeat.load(Relaxed);
    audit_some(memory, block);
    if steps.is_multiple_of(STEPS_PER_RESIDENT_PAGE) {
        check_next_resident_page(memory, control, 0);
    }
    if !accounting_of(pool, rings).adds_up() {
        block.fail(ErrorKind::Accounting, steps);
    }
    host.doorbell(Command::PollNic);
}

/// Where the buffers are, by the counts of rings and pool; of a paused guest.
pub fn accounting(memory: Memory) -> Accounting {
    // SAFETY: the guest is paused, so its host is alone.
    let (pool, rings) = unsafe { (Pool::of(memory), rings_of(memory)) };
    accounting_of(pool, rings)
}

/// Where the buffers are, by what each buffer says of itself, and how many are damaged; of a paused guest.
pub fn tally(memory: Memory) -> (Accounting, u32) {
    let mut tally = Accounting {
        free: 0,
        cached: 0,
        rx: 0,
        tx: 0,
    };
    let mut damaged = 0;
    for index in 0..BUFFER_COUNT {
        match pool::inspect(memory, index) {
            (true, state) if state == BufferState::Free as u32 => tally.free += 1,
            (true, state) if state == BufferState::Cached as u32 => tally.cached += 1,
            (true, state) if state == BufferState::Rx as u32 => tally.rx += 1,
            (true, state) if state == BufferState::Tx as u32 => tally.tx += 1,
            _ => damaged += 1,
        }
    }
    (tally, damaged)
}

fn accounting_of(pool: &Pool, rings: &Rings) -> Accounting {
    let (free, cached) = pool.counts();
    let used = |rings: &[Ring; PORT_COUNT]| rings.iter().fold(0, |sum: u32, ring| sum.saturating_add(ring.used));
    Accounting {
        free,
        cached,
        rx: used(&rings.rx),
        tx: used(&rings.tx),
    }
}

/// Takes up to a burst of frames from a port and gives them to the other; returns how many came.
fn forward_burst(
    memory: Memory,
    block: &VcpuBlock,
    pool: &mut Pool,
    rx: &mut Ring,
    rx_port: usize,
    tx: &mut Ring,
    tx_port: usize,
) -> u32 {
    let mut received = 0;
    while received < BURST && rx.used > 0 {
        let entry = rx.first % RING_ENTRY_COUNT;
        let descriptor = descriptor(memory, rx_ring_address(rx_port), entry);
        if !descriptor.is_guest_owned() {
            break;
        }
        let buffer = u32::from(rx.buffers[entry as usize]);
        let length_bytes = descriptor.length_bytes.load(Relaxed);
        rx.first = (entry + 1) % RING_ENTRY_COUNT;
        rx.used -= 1;
        received += 1;
        let whole = buffer < BUFFER_COUNT && (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&u64::from(length_bytes));
        if !whole || descriptor.buffer_address.load(Relaxed) != pool::frame_address(buffer) {
            block.fail(
                ErrorKind::Descriptor,
                rx_ring_address(rx_port) + u64::from(entry) * DESCRIPTOR_BYTES,
            );
            pool.put(memory, block, buffer, BufferState::Rx);
            continue;
        }
        if tx.used >= RING_ENTRY_COUNT {
            add(&block.frames_dropped, 1);
            pool.put(memory, block, buffer, BufferState::Rx);
            continue;
        }
        swap_addresses(memory.at(pool::frame_address(buffer)));
        pool::change(memory, block, buffer, BufferState::Rx, BufferState::Tx);
        give(memory, tx, tx_ring_address(tx_port), buffer, length_bytes);
    }
    add(&block.frames_received, u64::from(received));
    add(&block.checked, u64::from(received));
    received
}

/// Takes back the buffers of a port that were sent.
fn reap(memory: Memory, block: &VcpuBlock, pool: &mut Pool, tx: &mut Ring, port: usize) {
    // One turn of the ring at most, whatever memory says.
    for _ in 0..tx.used.min(RING_ENTRY_COUNT) {
        let entry = tx.first % RING_ENTRY_COUNT;
        let descriptor = descriptor(memory, tx_ring_address(port), entry);
        if !descriptor.is_guest_owned() {
            break;
        }
        let buffer = u32::from(tx.buffers[entry as usize]);
        if descriptor.buffer_address.load(Relaxed) != pool::frame_address(buffer) {
            block.fail(
                ErrorKind::Descriptor,
                tx_ring_address(port) + u64::from(entry) * DESCRIPTOR_BYTES,
            );
        }
        tx.first = (entry + 1) % RING_ENTRY_COUNT;
        tx.used -= 1;
        pool.put(memory, block, buffer, BufferState::Tx);
        add(&block.frames_sent, 1);
    }
}

/// Offers empty buffers to the card until the ring is full.
fn refill(memory: Memory, block: &VcpuBlock, pool: &mut Pool, rx: &mut Ring, port: usize) {
    while rx.used < RING_ENTRY_COUNT {
        let Some(buffer) = pool.take(memory, block, BufferState::Rx) else {
            break;
        };
        give(memory, rx, rx_ring_address(port), buffer, 0);
    }
}

fn give(memory: Memory, ring: &mut Ring, ring_address: u64, buffer: u32, length_bytes: u16) {
    let entry = ring.first.wrapping_add(ring.used) % RING_ENTRY_COUNT;
    ring.buffers[entry as usize] = buffer as u16;
    ring.used += 1;
    descriptor(memory, ring_address, entry).give_to_device(pool::frame_address(buffer), length_bytes);
}

fn swap_addresses(frame: *mut u8) {
    let frame: *mut [u8; 6] = frame.cast();
    // SAFETY: the frame lies in a buffer of the pool, long enough for both addresses; the card has given it away.
    unsafe { core::ptr::swap(frame, frame.add(1)) };
}

fn audit_some(memory: Memory, block: &VcpuBlock) {
    for _ in 0..AUDITED_PER_STEP {
        let index = block.cursor.load(Relaxed) % u64::from(BUFFER_COUNT);
        if !pool::inspect(memory, index as u32).0 {
            block.fail(ErrorKind::Canary, index);
        }
        block.cursor.store(index + 1, Relaxed);
    }
}

/// # Safety
/// Nobody else uses the rings while the reference lives.
unsafe fn rings_of<'a>(memory: Memory) -> &'a mut Rings {
    // SAFETY: Memory::new vouches for the mapping, the caller for being alone; every bit pattern is a Rings.
    unsafe { &mut *memory.at(FORWARDER_ADDRESS + POOL_STATE_BYTES) }
}

fn descriptor(memory: Memory, ring_address: u64, entry: u32) -> &'static Descriptor {
    // SAFETY: the ring lies where layout.rs puts it, which Memory::new vouches for; all fields are atomics.
    unsafe { &*memory.at(ring_address + u64::from(entry) * DESCRIPTOR_BYTES) }
}
