//! The buffers of the forwarder, as DPDK's mempool keeps them: a ring of free buffers, first in first out, and before it
//! the core's own cache, last in first out, so that a buffer just used is used again while it is warm.

use crate::control::{ErrorKind, VcpuBlock};
use crate::layout::{FORWARDER_ADDRESS, POOL_ADDRESS};
use crate::memory::Memory;
use crate::nic_layout::FRAME_BYTES_MAX;

/// Buffers in the pool.
pub const BUFFER_COUNT: u32 = 8192;
/// Size of a buffer: header and frame.
pub const BUFFER_BYTES: u64 = HEADER_BYTES + FRAME_BYTES_MAX;
/// Size of the header.
pub const HEADER_BYTES: u64 = 128;
/// Bytes of the whole pool.
pub const POOL_BYTES: u64 = BUFFER_COUNT as u64 * BUFFER_BYTES;
/// Buffers that move between cache and ring at once.
const CACHE_REFILL: u32 = 256;
/// The cache gives buffers back beyond this.
const CACHE_LIMIT: u32 = 512;
const CANARY: u64 = 0x676f_6477_6974_4255;

/// Where a buffer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum BufferState {
    /// In the ring of free buffers.
    Free = 1,
    /// In the core's cache.
    Cached = 2,
    /// Offered to the card for a frame.
    Rx = 3,
    /// Given to the card with a frame.
    Tx = 4,
}

#[repr(C)]
struct Header {
    canary: u64,
    index: u32,
    state: u32,
    canary_again: u64,
}

/// The free buffers. Lies in guest memory.
#[repr(C)]
pub struct Pool {
    free_head: u32,
    free_count: u32,
    cached_count: u32,
    reserved: u32,
    cached: [u16; (CACHE_LIMIT + CACHE_REFILL) as usize],
    free: [u16; BUFFER_COUNT as usize],
}

/// Bytes of [`Pool`], rounded up to a cache line.
pub const POOL_STATE_BYTES: u64 = (size_of::<Pool>() as u64).next_multiple_of(64);

impl Pool {
    /// The pool of a memory.
    ///
    /// # Safety
    /// Nobody else uses the pool while the reference lives.
    pub unsafe fn of<'a>(memory: Memory) -> &'a mut Self {
        // SAFETY: Memory::new vouches for the mapping, the caller for being alone; every bit pattern is a Pool.
        unsafe { &mut *memory.at(FORWARDER_ADDRESS) }
    }

    /// Puts all buffers into the ring, with fresh headers.
    pub fn prepare(&mut self, memory: Memory) {
        (self.free_head, self.free_count, self.cached_count, self.reserved) = (0, BUFFER_COUNT, 0, 0);
        for index in 0..BUFFER_COUNT {
            self.free[index as usize] = index as u16;
            let header = Header {
                canary: canary(index),
                index,
                state: BufferState::Free as u32,
                canary_again: canary(index),
            };
            // SAFETY: the header lies in the pool, which Memory::new vouches for.
            unsafe { header_of(memory, index).write(header) };
        }
    }

    /// Takes a buffer, for a state.
    pub fn take(&mut self, memory: Memory, block: &VcpuBlock, state: BufferState) -> Option<u32> {
        if self.cached_count == 0 {
            for _ in 0..CACHE_REFILL.min(self.free_count) {
                let index = self.free[(self.free_head % BUFFER_COUNT) as usize];
                self.free_head = (self.free_head % BUFFER_COUNT + 1) % BUFFER_COUNT;
                self.free_count -= 1;
                change(memory, block, u32::from(index), BufferState::Free, BufferState::Cached);
                self.cached[self.cached_count as usize] = index;
                self.cached_count += 1;
            }
        }
        self.cached_count = self.cached_count.min(CACHE_LIMIT + CACHE_REFILL).checked_sub(1)?;
        let index = u32::from(self.cached[self.cached_count as usize]);
        change(memory, block, index, BufferState::Cached, state);
        Some(index)
    }

    /// Puts a buffer back from a state.
    pub fn put(&mut self, memory: Memory, block: &VcpuBlock, index: u32, state: BufferState) {
        change(memory, block, index, state, BufferState::Cached);
        self.cached_count = self.cached_count.min(CACHE_LIMIT + CACHE_REFILL - 1);
        self.cached[self.cached_count as usize] = index as u16;
        self.cached_count += 1;
        if self.cached_count < CACHE_LIMIT + CACHE_REFILL {
            return;
        }
        for _ in 0..CACHE_REFILL {
            self.cached_count -= 1;
            let index = self.cached[self.cached_count as usize];
            change(memory, block, u32::from(index), BufferState::Cached, BufferState::Free);
            self.free[(self.free_head.wrapping_add(self.free_count) % BUFFER_COUNT) as usize] = index;
            self.free_count = self.free_count.min(BUFFER_COUNT - 1) + 1;
        }
    }

    /// Buffers in the ring and in the cache.
    pub const fn counts(&self) -> (u32, u32) {
        (self.free_count, self.cached_count)
    }
}

/// Guest-physical address of a buffer's frame.
#[inline(always)]
pub const fn frame_address(index: u32) -> u64 {
    POOL_ADDRESS + index as u64 * BUFFER_BYTES + HEADER_BYTES
}

/// Whether a buffer's header is whole, and in which state it says the buffer is.
pub fn inspect(memory: Memory, index: u32) -> (bool, u32) {
    let header = header_of(memory, index);
    // SAFETY: the header lies in the pool, which Memory::new vouches for.
    let header = unsafe { header.read_volatile() };
    let whole = header.canary == canary(index) && header.canary_again == canary(index) && header.index == index;
    (whole, header.state)
}

/// Moves a buffer from one state to another, and says so if it was not in the first.
#[inline(always)]
pub fn change(memory: Memory, block: &VcpuBlock, index: u32, from: BufferState, to: BufferState) {
    if index >= BUFFER_COUNT {
        return block.fail(ErrorKind::State, u64::from(index));
    }
    let (whole, state) = inspect(memory, index);
    if !whole {
        block.fail(ErrorKind::Canary, u64::from(index));
    } else if state != from as u32 {
        block.fail(ErrorKind::State, u64::from(index));
    }
    // SAFETY: the index was checked, so the header lies in the pool, which Memory::new vouches for.
    unsafe { (&raw mut (*header_of(memory, index)).state).write_volatile(to as u32) };
}

fn header_of(memory: Memory, index: u32) -> *mut Header {
    memory.at(POOL_ADDRESS + u64::from(index) * BUFFER_BYTES)
}

const fn canary(index: u32) -> u64 {
    CANARY ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const _: () = assert!(BUFFER_BYTES == 2176);
