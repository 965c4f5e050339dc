//! Decides where resident pages and working set lie in a memory of a given size, and writes them.

use core::fmt;

use crate::appmembench::{self, Pattern};
use crate::content::{Content, fill_page};
use crate::control::{Area, ControlBlock, MAGIC, VERSION};
use crate::layout::{
    AREA_ADDRESS, BLOCK_BYTES, CONTROL_ADDRESS, HOLE_END, HOLE_START, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, PAGE_BYTES,
    VCPU_COUNT_MAX,
};
use crate::memory::Memory;
use crate::pool::POOL_BYTES;
use crate::program::Program;
use crate::{l2fwd, layout};

/// What a guest shall run, with its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A heartbeat every so many microseconds.
    Idle { beat_microseconds: u64 },
    /// A forwarder.
    L2fwd,
    /// A writer.
    Appmembench {
        /// Bytes of the working set.
        working_set_bytes: u64,
        /// Pages a second over all processors; 0: as fast as it can.
        pages_per_second: u64,
        /// Whole pages, or only their stamps.
        whole_pages: bool,
        /// In which order.
        pattern: Pattern,
    },
}

/// A fresh guest.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of the hole below 4 GiB (what a [`Memory`] of this plan is made with); 0 where there is none.
    pub hole_bytes: u64,
    /// The control block.
    pub control: ControlBlock,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Memory must be a multiple of 2 MiB between the two limits of `layout`.
    MemoryBytes,
    /// Between 1 and `VCPU_COUNT_MAX` processors.
    VcpuCount,
    /// The resident pages and the working set do not fit into memory.
    DoesNotFit,
    /// More pages a second than anything can write.
    Rate,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MemoryBytes => "memory must be a multiple of 2 MiB from 64 MiB to 63 GiB",
            Self::VcpuCount => "a guest has 1 to 16 virtual processors",
            Self::DoesNotFit => "resident memory and working set must fit into the memory beside the first 32 MiB",
            Self::Rate => "at most 2^30 pages a second, and a beat of at most an hour",
        })
    }
}

/// What [`Plan::new`] is told.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whether the guest's address space has the hole below 4 GiB.
    pub hole: bool,
    /// Virtual processors.
    pub vcpu_count: u32,
    /// What it runs.
    pub workload: Workload,
    /// All populated memory, program and rings included; at least what the workload itself needs.
    pub resident_bytes: u64,
    /// What the resident pages hold.
    pub content: Content,
    /// Of content and patterns.
    pub seed: u64,
    /// Frequency of the time stamp counter.
    pub tsc_khz: u64,
}

impl Plan {
    /// Checks that a memory can hold what is wanted, and places it.
    pub fn new(wanted: &Wanted) -> Result<Self, PlanError> {
        let memory_bytes = wanted.memory_bytes;
        if !(MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX).contains(&memory_bytes) || !memory_bytes.is_multiple_of(BLOCK_BYTES) {
            return Err(PlanError::MemoryBytes);
        }
        if !(1..=VCPU_COUNT_MAX).contains(&wanted.vcpu_count) {
            return Err(PlanError::VcpuCount);
        }
        let vcpus = u64::from(wanted.vcpu_count);
        let (program, working_pages, rate, whole_pages, pattern, beat) = match wanted.workload {
            Workload::Idle { beat_microseconds } => (Program::Idle, 0, 0, false, Pattern::Sweep, beat_microseconds),
            Workload::L2fwd => (Program::L2fwd, 0, 0, false, Pattern::Sweep, BEAT_MICROSECONDS),
            Workload::Appmembench {
                working_set_bytes,
                pages_per_second,
                whole_pages,
                pattern,
            } => {
                let pages = working_set_bytes.div_ceil(PAGE_BYTES).max(vcpus);
                let rate = if pages_per_second == 0 {
                    0
                } else {
                    pages_per_second.div_ceil(vcpus)
                };
                (
                    Program::Appmembench,
                    pages,
                    rate,
                    whole_pages,
                    pattern,
                    BEAT_MICROSECONDS,
                )
            }
        };
        if rate > 1 << 30 || beat > 3_600_000_000 {
            return Err(PlanError::Rate);
        }
        if working_pages > memory_bytes / PAGE_BYTES || wanted.resident_bytes > memory_bytes {
            return Err(PlanError::DoesNotFit);
        }
        let shadow_pages = (working_pages * 4).div_ceil(PAGE_BYTES);
        let fixed_bytes = FIXED_BYTES
            + vcpus * 2 * PAGE_BYTES
            + (working_pages + shadow_pages) * PAGE_BYTES
            + if program == Program::L2fwd {
                POOL_BYTES + FORWARDER_BYTES
            } else {
                0
            };
        let resident_pages = wanted.resident_bytes.saturating_sub(fixed_bytes) / PAGE_BYTES;
        let (low_end, high_bytes) = if wanted.hole {
            (memory_bytes.min(HOLE_START), memory_bytes.saturating_sub(HOLE_START))
        } else {
            (memory_bytes, 0)
        };
        let mut room = Room {
            low: AREA_ADDRESS,
            low_end,
            high: HOLE_END,
            high_end: HOLE_END + high_bytes,
        };
        let shadow = room.place(shadow_pages)?;
        let working_set = room.place(working_pages)?;
        let resident = room.place(resident_pages)?;
        let control = ControlBlock {
            magic: MAGIC,
            version: VERSION,
            program: program as u32,
            vcpu_count: wanted.vcpu_count,
            content: wanted.content as u32,
            seed: wanted.seed,
            tsc_khz: wanted.tsc_khz,
            resident,
            working_set,
            shadow,
            pages_per_second: rate,
            pattern: pattern as u32,
            whole_pages: u32::from(whole_pages),
            beat_microseconds: beat,
        };
        let hole_bytes = if wanted.hole { HOLE_END - HOLE_START } else { 0 };
        Ok(Self {
            memory_bytes,
            hole_bytes,
            control,
        })
    }

    /// Writes control block, rings, pool, working set and resident content into fresh (zero) memory.
    pub fn prepare(&self, memory: Memory) {
        // SAFETY: Memory::new vouches that the control block is mapped; no program runs yet.
        unsafe { memory.at::<ControlBlock>(CONTROL_ADDRESS).write(self.control) };
        let control = &self.control;
        match Program::from_number(control.program) {
            Some(Program::L2fwd) => l2fwd::prepare(memory),
            Some(Program::Appmembench) => appmembench::prepare(memory, control),
            _ => {}
        }
        let Some(content) = control.content() else { return };
        for page in 0..control.resident.page_count() {
            // SAFETY: the page lies in the resident area, which Memory::new vouches for; no program runs yet.
            unsafe { fill_page(memory.at(control.resident.address(page)), content, control.seed, page) };
        }
    }
}

/// Time between two beats where the workload does not say.
pub const BEAT_MICROSECONDS: u64 = 1000;
/// Page tables, control block and program, about.
const FIXED_BYTES: u64 = 32 * PAGE_BYTES;
/// Rings and what l2fwd remembers, about.
const FORWARDER_BYTES: u64 = 24 * PAGE_BYTES;

const _: () = assert!(layout::POOL_ADDRESS + POOL_BYTES <= AREA_ADDRESS);

/// The free space of a memory.
struct Room {
    low: u64,
    low_end: u64,
    high: u64,
    high_end: u64,
}

impl Room {
    /// Half of the pages above the hole where there is memory, so that high memory is used too; the rest wherever it fits.
    fn place(&mut self, pages: u64) -> Result<Area, PlanError> {
        let low_room = (self.low_end - self.low) / PAGE_BYTES;
        let high_room = (self.high_end - self.high) / PAGE_BYTES;
        let high_pages = (pages / 2).min(high_room).max(pages.saturating_sub(low_room));
        let low_pages = pages - high_pages;
        if high_pages > high_room {
            return Err(PlanError::DoesNotFit);
        }
        let area = Area {
            low_address: self.low,
            low_pages,
            high_address: self.high,
            high_pages,
        };
        self.low += low_pages * PAGE_BYTES;
        self.high += high_pages * PAGE_BYTES;
        Ok(area)
    }
}
