//! A single-producer single-consumer ring of frames in shared memory.
//!
//! Layout: a control area with the consumer's position (`head`) and the producer's (`tail`), each a `u64` on cache
//! lines of its own, then `capacity` bytes of data. A position counts bytes since the ring was made and never wraps in
//! practice. A record is a `u32` length (native order: both ends are on one machine) and the frame, padded to 8 bytes;
//! it may run over the end of the data area and go on at its start, but its length word never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::shared_mapping::SharedMapping;

/// The longest frame a ring carries, in bytes.
pub const MAX_FRAME_BYTES: usize = 2048;

/// Bytes of the control area before the data: one page, so that the data is aligned to pages.
pub(crate) const CONTROL_BYTES: usize = 4096;
/// Two cache lines apart, because processors prefetch lines in pairs.
const HEAD_OFFSET: usize = 0;
const TAIL_OFFSET: usize = 128;

const LENGTH_BYTES: usize = 4;
const RECORD_ALIGN: usize = 8;

/// One end of a ring. Each end keeps its own position in private memory and trusts the other's only after a check, so
/// that whatever the other process writes costs at most this ring: it becomes damaged and carries nothing any more.
pub struct FrameRing {
    control: *mut u8,
    data: *mut u8,
    capacity_bytes: u64,
    /// This end's view of the consumer's position: its own on the consuming end, the last seen on the other.
    head: u64,
    /// This end's view of the producer's position.
    tail: u64,
    damaged: bool,
    /// Keeps the memory behind the two addresses mapped.
    _mapping: Arc<SharedMapping>,
}

// SAFETY: the addresses point into a mapping that `_mapping` keeps alive and that has no thread affinity; all methods
// that move data take `&mut self`.
unsafe impl Send for FrameRing {}

const fn record_bytes(frame_bytes: usize) -> u64 {
    (LENGTH_BYTES + frame_bytes).next_multiple_of(RECORD_ALIGN) as u64
}

impl FrameRing {
    /// The ring whose control area begins `offset` bytes into `mapping`; `capacity_bytes` is a power of two.
    pub(crate) fn at(mapping: &Arc<SharedMapping>, offset: usize, capacity_bytes: usize) -> Self {
        assert!(capacity_bytes.is_power_of_two() && capacity_bytes >= 2 * MAX_FRAME_BYTES);
        let mut ring = Self {
            control: mapping.at(offset, CONTROL_BYTES),
            data: mapping.at(offset + CONTROL_BYTES, capacity_bytes),
            capacity_bytes: capacity_bytes as u64,
            head: 0,
            tail: 0,
            damaged: false,
            _mapping: Arc::clone(mapping),
        };
        ring.resynchronise();
        ring
    }

    fn position(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the control area has CONTROL_BYTES bytes and is aligned to a page (the mapping is, and all offsets
        // are multiples of it), so both positions are inside and aligned; an atomic may be shared with another process.
        unsafe { AtomicU64::from_ptr(self.control.add(offset).cast()) }
    }

    fn length_word(&self, position: u64) -> &AtomicU32 {
        // SAFETY: the mask keeps the offset inside the data area; positions are multiples of 8 (checked whenever one is
        // taken over), so the word is aligned and does not run over the end.
        unsafe { AtomicU32::from_ptr(self.data.add(self.offset_of(position)).cast()) }
    }

    fn offset_of(&self, position: u64) -> usize {
        (position & (self.capacity_bytes - 1)) as usize
    }

    /// Marks the ring damaged unless the positions can be true.
    fn check_positions(&mut self) {
        let used = self.tail.wrapping_sub(self.head);
        let aligned = (self.tail | self.head).is_multiple_of(RECORD_ALIGN as u64);
        if used > self.capacity_bytes || !aligned {
            self.damaged = true;
        }
    }

    /// Takes over both positions as they stand in shared memory: for an end that begins, or begins again.
    pub(crate) fn resynchronise(&mut self) {
        self.head = self.position(HEAD_OFFSET).load(Ordering::Acquire);
        self.tail = self.position(TAIL_OFFSET).load(Ordering::Acquire);
        self.check_positions();
    }

    /// Whether the other end broke the ring's rules; a damaged ring takes and gives nothing.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Bytes of records that wait, as the positions in shared memory say now.
    pub fn queued_bytes(&self) -> u64 {
        let head = self.position(HEAD_OFFSET).load(Ordering::Acquire);
        let tail = self.position(TAIL_OFFSET).load(Ordering::Acquire);
        tail.wrapping_sub(head).min(self.capacity_bytes)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queued_bytes() == 0
    }

    /// The capacity for records, in bytes.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Appends one frame of at most [`MAX_FRAME_BYTES`] bytes (producer's end). False when it is empty or too long, when
    /// there is no room, or when the ring is damaged: the caller counts it as dropped, or keeps it.
    pub fn push(&mut self, frame: &[u8]) -> bool {
        // SAFETY: a slice is readable over its length, and shares nothing with the ring's data, of which no reference
        // is ever made.
        unsafe { self.push_from(frame.as_ptr(), frame.len()) }
    }

    /// As [`FrameRing::push`], from memory that others may be writing (guest memory).
    ///
    /// # Safety
    /// `frame` must be readable over `length` bytes and lie outside this ring.
    pub(crate) unsafe fn push_from(&mut self, frame: *const u8, length: usize) -> bool {
        if self.damaged || length == 0 || length > MAX_FRAME_BYTES {
            return false;
        }
        let record = record_bytes(length);
        if self.capacity_bytes - self.tail.wrapping_sub(self.head) < record {
            self.head = self.position(HEAD_OFFSET).load(Ordering::Acquire);
            self.check_positions();
            if self.damaged || self.capacity_bytes - self.tail.wrapping_sub(self.head) < record {
                return false;
            }
        }
        self.length_word(self.tail).store(length as u32, Ordering::Relaxed);
        let start = self.offset_of(self.tail) + LENGTH_BYTES;
        let first = length.min(self.capacity_bytes as usize - start);
        // SAFETY: `start + first` stays inside the data area, the rest starts at its begin and is shorter than it; the
        // consumer reads none of it before the tail moves; the source is readable by the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(frame, self.data.add(start), first);
            std::ptr::copy_nonoverlapping(frame.add(first), self.data, length - first);
        }
        self.tail = self.tail.wrapping_add(record);
        self.position(TAIL_OFFSET).store(self.tail, Ordering::Release);
        true
    }

    /// Takes the oldest frame into `target` and gives its length in bytes (consumer's end); none when nothing waits or
    /// the ring is damaged. A record that cannot be true damages the ring.
    ///
    /// # Panics
    /// When `target` has less than [`MAX_FRAME_BYTES`] bytes.
    pub fn pop(&mut self, target: &mut [u8]) -> Option<usize> {
        assert!(target.len() >= MAX_FRAME_BYTES, "a frame may not fit into the buffer");
        if self.damaged {
            return None;
        }
        if self.tail == self.head {
            self.tail = self.position(TAIL_OFFSET).load(Ordering::Acquire);
            self.check_positions();
            if self.damaged || self.tail == self.head {
                return None;
            }
        }
        // Read once: the other process may change the word between a check and a use.
        let length = self.length_word(self.head).load(Ordering::Relaxed) as usize;
        let used = self.tail.wrapping_sub(self.head);
        if length == 0 || length > MAX_FRAME_BYTES || record_bytes(length) > used {
            self.damaged = true;
            return None;
        }
        let start = self.offset_of(self.head) + LENGTH_BYTES;
        let first = length.min(self.capacity_bytes as usize - start);
        // SAFETY: as in `push_from`, both parts lie inside the data area; `target` has room for MAX_FRAME_BYTES and is
        // private. An honest producer has published these bytes with the tail; a dishonest one tears its own frame.
        unsafe {
            std::ptr::copy_nonoverlapping(self.data.add(start), target.as_mut_ptr(), first);
            std::ptr::copy_nonoverlapping(self.data, target.as_mut_ptr().add(first), length - first);
        }
        self.head = self.head.wrapping_add(record_bytes(length));
        self.position(HEAD_OFFSET).store(self.head, Ordering::Release);
        Some(length)
    }

    /// Throws away what waits (consumer's end).
    pub(crate) fn discard_all(&mut self) {
        self.resynchronise();
        if !self.damaged {
            self.head = self.tail;
            self.position(HEAD_OFFSET).store(self.head, Ordering::Release);
        }
    }
}

#[cfg(test)]
#[path = "frame_ring_tests.rs"]
mod tests;
