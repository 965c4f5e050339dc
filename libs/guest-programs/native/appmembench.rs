//! The diabolical writer of the migration papers: writes a working set page after page at a given rate. Each page carries
//! its number and how often it was written, in several places; a table elsewhere in memory says the same. Before a page
//! is written again all of it is compared, so one lost, torn or stale write shows as an error.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::control::{ControlBlock, ErrorKind, VcpuBlock, add};
use crate::layout::PAGE_BYTES;
use crate::memory::Memory;
use crate::program::{Command, Host};
use crate::random::{Random, mix};

/// The order of writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Pattern {
    /// One page after the other.
    Sweep = 1,
    /// Every page equally likely.
    Random = 2,
    /// Page of rank r about r times less likely than the first (Zipf with exponent 1, drawn from a rank whose logarithm
    /// is uniform), scattered over the working set.
    Zipf = 3,
}

impl Pattern {
    /// From its number in the control block.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Sweep),
            2 => Some(Self::Random),
            3 => Some(Self::Zipf),
            _ => None,
        }
    }
}

const WORDS_PER_PAGE: u64 = PAGE_BYTES / 8;
/// Where a page carries its stamp: in the first word, in the last, and at odd places between.
const STAMP_WORDS: [u64; 4] = [0, 171, 341, WORDS_PER_PAGE - 1];
/// The most pages a step writes.
const PAGES_PER_STEP: u64 = 128;
/// At most this much time is made up for when the guest was away.
const CATCH_UP_MS: u64 = 100;
/// A prime above every page count: multiplying by it permutes the page numbers.
const SCATTER: u64 = 4_294_967_291;

/// Writes as many pages as are due, or waits for the next to be.
pub fn step(memory: Memory, control: &ControlBlock, vcpu_index: u32, host: &mut impl Host) {
    let block = VcpuBlock::of(memory, vcpu_index);
    let (first, own_pages) = share(control, vcpu_index);
    if own_pages == 0 {
        return host.doorbell(Command::Wait {
            microseconds: control.beat_microseconds,
        });
    }
    let now = now_tsc();
    let due = due_pages(control, block, now);
    if due == 0 {
        let microseconds = 1_000_000 / control.pages_per_second.max(1);
        return host.doorbell(Command::Wait {
            microseconds: microseconds.clamp(200, 1000),
        });
    }
    if block.iteration_began_tsc.load(Relaxed) == 0 {
        block.iteration_began_tsc.store(now, Relaxed);
    }
    let mut random = Random::new(block.random_state.load(Relaxed));
    for _ in 0..due.min(PAGES_PER_STEP) {
        // What lies in memory may come from a peer: it must never lead out of the working set.
        let position = block.cursor.load(Relaxed).min(own_pages - 1);
        let page = first + pick(control, position, own_pages, &mut random);
        // SAFETY: the page lies in the working set, which Memory::new vouches for; pages of one processor are its own.
        unsafe { rewrite(memory, control, block, page) };
        add(&block.pages_written, 1);
        add(&block.pace_pages, 1);
        if position + 1 == own_pages {
            end_iteration(block);
        } else {
            block.cursor.store(position + 1, Relaxed);
        }
    }
    block.random_state.store(random.state(), Relaxed);
}

/// Writes every page of the working set once, so that it is resident before the guest runs.
pub fn prepare(memory: Memory, control: &ControlBlock) {
    for page in 0..control.working_set.page_count() {
        // SAFETY: the page lies in the working set, which Memory::new vouches for; the guest does not run yet.
        unsafe { write(memory, control, page, 1) };
    }
    for vcpu_index in 0..control.vcpu_count {
        let seed = mix(control.seed ^ u64::from(vcpu_index));
        VcpuBlock::of(memory, vcpu_index).random_state.store(seed, Relaxed);
    }
}

/// The first page and the number of pages of a processor.
fn share(control: &ControlBlock, vcpu_index: u32) -> (u64, u64) {
    let (pages, count) = (control.working_set.page_count(), u64::from(control.vcpu_count.max(1)));
    let first = pages * u64::from(vcpu_index) / count;
    (first, pages * (u64::from(vcpu_index) + 1) / count - first)
}

fn pick(control: &ControlBlock, position: u64, own_pages: u64, random: &mut Random) -> u64 {
    match Pattern::from_number(control.pattern) {
        Some(Pattern::Random) => random.below(own_pages),
        Some(Pattern::Zipf) => {
            let octave = random.below(u64::from(64 - own_pages.leading_zeros()));
            let rank = ((1 << octave) + random.below(1 << octave) - 1).min(own_pages - 1);
            rank * SCATTER % own_pages
        }
        _ => position,
    }
}

/// How many pages are due by now.
fn due_pages(control: &ControlBlock, block: &VcpuBlock, now: u64) -> u64 {
    let rate = control.pages_per_second;
    if rate == 0 {
        return PAGES_PER_STEP;
    }
    let second = (control.tsc_khz * 1000).max(1);
    let mut began = block.pace_began_tsc.load(Relaxed);
    let mut written = block.pace_pages.load(Relaxed);
    let mut elapsed = now.wrapping_sub(began);
    if began == 0 || elapsed > 2 * second {
        // The first time, a long absence, or another host's clock.
        (began, written, elapsed) = (now, 0, 0);
    } else if elapsed > second {
        (began, written, elapsed) = (
            began.wrapping_add(second),
            written.saturating_sub(rate),
            elapsed - second,
        );
    }
    // Below 2^64: at most a second of 2^33 time stamps, at most 2^30 pages a second.
    let target = elapsed.saturating_mul(rate) / second;
    let due = target.saturating_sub(written).min(rate * CATCH_UP_MS / 1000 + 1);
    block.pace_began_tsc.store(began, Relaxed);
    block.pace_pages.store(target.saturating_sub(due).max(written), Relaxed);
    due
}

fn end_iteration(block: &VcpuBlock) {
    let now = now_tsc();
    let took = now.saturating_sub(block.iteration_began_tsc.load(Relaxed));
    block.iteration_tsc_last.store(took, Relaxed);
    block
        .iteration_tsc_max
        .store(took.max(block.iteration_tsc_max.load(Relaxed)), Relaxed);
    block.iteration_began_tsc.store(now, Relaxed);
    block.cursor.store(0, Relaxed);
    add(&block.iterations, 1);
}

/// Checks a page and writes it anew.
///
/// # Safety
/// The page lies in the working set and nobody else writes it.
#[inline(always)]
unsafe fn rewrite(memory: Memory, control: &ControlBlock, block: &VcpuBlock, page: u64) {
    let count = shadow(memory, control, page).load(Relaxed);
    // SAFETY: the caller vouches for the page.
    unsafe { check(memory, control, block, page, count) };
    // SAFETY: as above.
    unsafe { write(memory, control, page, count.wrapping_add(1)) };
    add(&block.checked, 1);
}

/// # Safety
/// The page lies in the working set.
#[inline(always)]
unsafe fn check(memory: Memory, control: &ControlBlock, block: &VcpuBlock, page: u64, count: u32) {
    let words: *const u64 = memory.at(control.working_set.address(page));
    // SAFETY: the caller vouches for the page; the position is below 512.
    let word = |position: u64| unsafe { words.add(position as usize).read_volatile() };
    let (mut torn, mut stale) = (0, 0);
    let first = word(0);
    if control.whole_pages != 0 {
        for position in 0..WORDS_PER_PAGE {
            torn |= word(position) ^ filling(first, position);
        }
    } else {
        for position in STAMP_WORDS {
            torn |= word(position) ^ first;
        }
    }
    stale |= first ^ stamp(page, count);
    if torn != 0 {
        block.fail(ErrorKind::Torn, control.working_set.address(page));
    } else if stale != 0 {
        block.fail(ErrorKind::Stale, control.working_set.address(page));
    }
}

/// # Safety
/// The page lies in the working set and nobody else writes it.
#[inline(always)]
unsafe fn write(memory: Memory, control: &ControlBlock, page: u64, count: u32) {
    let words: *mut u64 = memory.at(control.working_set.address(page));
    let stamp = stamp(page, count);
    // SAFETY: the caller vouches for the page; the position is below 512.
    let put = |position: u64, word: u64| unsafe { words.add(position as usize).write_volatile(word) };
    if control.whole_pages != 0 {
        for position in 0..WORDS_PER_PAGE {
            put(position, filling(stamp, position));
        }
    } else {
        for position in STAMP_WORDS {
            put(position, stamp);
        }
    }
    shadow(memory, control, page).store(count, Relaxed);
}

/// Never zero: a page that arrived as zeros is noticed.
const fn stamp(page: u64, count: u32) -> u64 {
    (count as u64) << 32 | (page + 1) & 0xffff_ffff
}

/// What a whole page holds at a word: the stamp itself in the first one, and something that no other write of any page
/// has in the others.
const fn filling(stamp: u64, position: u64) -> u64 {
    stamp ^ position.wrapping_mul(stamp).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn shadow(memory: Memory, control: &ControlBlock, page: u64) -> &'static AtomicU32 {
    let address = control.shadow.address(page * 4 / PAGE_BYTES) + page * 4 % PAGE_BYTES;
    // SAFETY: the table has an entry for each page of the working set, which Memory::new vouches for.
    unsafe { &*memory.at(address) }
}

fn now_tsc() -> u64 {
    // SAFETY: every x86-64 processor has a time stamp counter, and neither hosts nor guests here forbid reading it.
    unsafe { _rdtsc() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, Wanted, Workload};

    #[test]
    fn pages_come_due_at_the_rate_asked_for() {
        let workload = Workload::Appmembench {
            working_set_bytes: 1 << 20,
            pages_per_second: 10_000,
            whole_pages: false,
            pattern: Pattern::Sweep,
        };
        let wanted = Wanted {
            memory_bytes: 64 << 20,
            hole: false,
            vcpu_count: 1,
            workload,
            resident_bytes: 0,
            content: crate::content::Content::Zero,
            seed: 0,
            tsc_khz: 1_000_000,
        };
        let control = Plan::new(&wanted).unwrap().control;
        // SAFETY: a block of atomics may begin as zeros.
        let block: VcpuBlock = unsafe { core::mem::zeroed() };
        let mut written = 0;
        let begin = 5_000_000_000;
        for microsecond in (0..3_000_000).step_by(50) {
            let due = due_pages(&control, &block, begin + microsecond * 1000);
            add(&block.pace_pages, due);
            written += due;
        }
        assert!((29_990..=30_000).contains(&written), "{written} in three seconds");
        // After a pause the debt is bounded; another host's clock begins anew.
        assert!(due_pages(&control, &block, begin + 3_900_000_000) <= 1001);
        assert_eq!(due_pages(&control, &block, 77), 0);
        assert_eq!(due_pages(&control, &block, 77 + 1_000_000), 10);
    }
}
