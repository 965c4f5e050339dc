//! The first thing in a guest's memory: what it runs, and what its programs have seen. The configuration is written once
//! by the host that makes the guest; counters are written by the guest alone and may be read at any time.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::content::Content;
use crate::layout::{CONTROL_ADDRESS, PAGE_BYTES};
use crate::memory::Memory;

/// `GODWITCB` in ASCII.
pub const MAGIC: u64 = 0x4243_5449_5744_4f47;
/// Of this layout.
pub const VERSION: u32 = 1;

/// Pages with numbers from 0 on, in at most two pieces: one below the hole, one above.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Where the first piece begins.
    pub low_address: u64,
    /// Pages of the first piece.
    pub low_pages: u64,
    /// Where the second piece begins.
    pub high_address: u64,
    /// Pages of the second piece.
    pub high_pages: u64,
}

impl Area {
    /// Pages of both pieces.
    pub const fn page_count(&self) -> u64 {
        self.low_pages + self.high_pages
    }

    /// Guest-physical address of a page of the area.
    #[inline(always)]
    pub const fn address(&self, page: u64) -> u64 {
        if page < self.low_pages {
            self.low_address + page * PAGE_BYTES
        } else {
            self.high_address + (page - self.low_pages) * PAGE_BYTES
        }
    }
}

/// The configuration, at [`CONTROL_ADDRESS`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ControlBlock {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// [`crate::program::Program`] as a number.
    pub program: u32,
    /// Virtual processors.
    pub vcpu_count: u32,
    /// [`Content`] of the resident pages, as a number.
    pub content: u32,
    /// Of the content and of random patterns.
    pub seed: u64,
    /// Frequency of the time stamp counter.
    pub tsc_khz: u64,
    /// Pages with generated content.
    pub resident: Area,
    /// Pages that appmembench writes.
    pub working_set: Area,
    /// One `u32` for each page of the working set: how often it was written.
    pub shadow: Area,
    /// Pages a second and processor; 0: as fast as it can.
    pub pages_per_second: u64,
    /// Order of writes: [`crate::appmembench::Pattern`] as a number.
    pub pattern: u32,
    /// Whether each page is written as a whole (1) or only in its stamps (0).
    pub whole_pages: u32,
    /// Microseconds between two beats of idle.
    pub beat_microseconds: u64,
}

/// The counters of one processor, and what its program remembers; each in a page of its own behind the control block.
#[repr(C)]
pub struct VcpuBlock {
    /// Steps since the start.
    pub heartbeat: AtomicU64,
    /// Inconsistencies found.
    pub errors: AtomicU64,
    /// Pages, frames or blocks checked.
    pub checked: AtomicU64,
    /// Of the first inconsistency: [`ErrorKind`] in the upper byte, the address or index below.
    pub first_error: AtomicU64,
    /// Rounds through the working set.
    pub iterations: AtomicU64,
    /// Time stamps the last round took.
    pub iteration_tsc_last: AtomicU64,
    /// Time stamps the longest round took.
    pub iteration_tsc_max: AtomicU64,
    /// Pages written by appmembench.
    pub pages_written: AtomicU64,
    /// Frames received.
    pub frames_received: AtomicU64,
    /// Frames given to the card to be sent.
    pub frames_sent: AtomicU64,
    /// Frames dropped because the TX ring was full.
    pub frames_dropped: AtomicU64,
    /// Next resident page to check.
    pub resident_cursor: AtomicU64,
    /// Next page of the working set; and of the audit of buffers.
    pub cursor: AtomicU64,
    /// Time stamp at which the present round began.
    pub iteration_began_tsc: AtomicU64,
    /// Time stamp from which the rate is counted.
    pub pace_began_tsc: AtomicU64,
    /// Pages written since then.
    pub pace_pages: AtomicU64,
    /// State of the random numbers.
    pub random_state: AtomicU64,
    /// Set before the program gives up (a panic).
    pub stopped: AtomicU64,
}

/// What was found to be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ErrorKind {
    /// A resident page does not hold its content.
    Content = 1,
    /// The stamps in a page of the working set do not agree with each other.
    Torn = 2,
    /// A page of the working set is older or newer than the table says.
    Stale = 3,
    /// A buffer's header is damaged.
    Canary = 4,
    /// A buffer is in another state than where it was found.
    State = 5,
    /// A descriptor holds another buffer or length than it should.
    Descriptor = 6,
    /// Buffers were lost or doubled.
    Accounting = 7,
}

impl ControlBlock {
    /// The control block of a memory.
    pub fn of(memory: Memory) -> &'static Self {
        // SAFETY: Memory::new vouches that the control block is mapped; it is written only before programs run. The
        // lifetime is that of the memory, which the caller of Memory::new keeps for as long as it is used.
        unsafe { &*memory.at(CONTROL_ADDRESS) }
    }

    /// The content of the resident pages; none in a damaged block.
    pub const fn content(&self) -> Option<Content> {
        Content::from_number(self.content)
    }
}

impl VcpuBlock {
    /// The block of a processor.
    pub fn of(memory: Memory, vcpu_index: u32) -> &'static Self {
        // SAFETY: Memory::new vouches that the blocks behind the control block are mapped; all fields are atomics.
        unsafe { &*memory.at(CONTROL_ADDRESS + PAGE_BYTES * (1 + u64::from(vcpu_index))) }
    }

    /// Counts an inconsistency and remembers the first.
    #[cold]
    pub fn fail(&self, kind: ErrorKind, place: u64) {
        if self.errors.load(Relaxed) == 0 {
            self.first_error
                .store(u64::from(kind as u8) << 56 | place & (u64::MAX >> 8), Relaxed);
        }
        add(&self.errors, 1);
    }
}

/// Adds to a counter that only this processor writes: no locked instruction is needed.
#[inline(always)]
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}
