//! A first look at pages that are probably not zero: at their beginning, their middle and their end.

use std::ops::Range;

use crate::lanes::Lanes;
use crate::page_row::PageRow;
use crate::prefetch::prefetch_far;

/// Of each probe; a cache line.
pub const PROBE_BYTES: usize = 64;
/// The probes of the page this many places ahead are fetched.
const AHEAD_PAGES: usize = 32;
/// So many pages are asked which of their probes tells that they are not zero.
const SAMPLE_PAGES: usize = 8;
/// And so many, whether any probe tells again, where none did.
const UNTOLD_SAMPLE_PAGES: usize = 4;
/// Between two times that pages are asked.
const BLOCKS_PER_SAMPLE: u8 = 8;

/// Where a probe lies in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    First,
    Middle,
    Last,
}

impl Place {
    const ALL: [Self; 3] = [Self::First, Self::Middle, Self::Last];

    #[inline(always)]
    fn offset(self, size: usize) -> usize {
        match self {
            Self::First => 0,
            Self::Middle => size / 2,
            Self::Last => size - PROBE_BYTES,
        }
    }
}

/// What a scan has learned from the pages it has seen. It decides where to look first, and never what is found.
pub struct Habit {
    /// Whether there were nothing but zero pages.
    pub streaming: bool,
    /// A place where nearly every page shows that it is not zero: one look is enough, and a third of the misses.
    telling: Option<Place>,
    blocks_to_sample: u8,
    /// Whether the probes showed nothing of pages that are not zero: then pages are read to their end at once.
    pub untold: bool,
}

impl Habit {
    /// Of a scan that begins: as if zero pages had come before.
    pub fn new() -> Self {
        Self {
            streaming: true,
            telling: None,
            blocks_to_sample: 0,
            untold: false,
        }
    }
}

/// Whether the probes of a few pages among these show that they are not zero, where those of the pages before did not.
///
/// # Safety
/// As [`zero_probes`].
#[inline(always)]
pub unsafe fn sample_tells<L: Lanes, R: PageRow>(row: R, size: usize, pages: Range<usize>) -> bool {
    let step = pages.len().div_ceil(UNTOLD_SAMPLE_PAGES);
    let mut zeros = true;
    let mut index = pages.start;
    while index < pages.end {
        prefetch_probes(row.page(index + pages.len()), size);
        // SAFETY: the page is readable.
        zeros &= unsafe { is_zero_everywhere::<L>(row.page(index), size) };
        index += step;
    }
    !zeros
}

/// The bits of those pages whose probes are all zero.
///
/// # Safety
/// The pages of the range are readable; there is at least one, and the last one is below 64.
#[inline(always)]
pub unsafe fn zero_probes<L: Lanes, R: PageRow>(row: R, size: usize, pages: Range<usize>, habit: &mut Habit) -> u64 {
    if let Some(place) = habit.telling {
        // SAFETY: handed through.
        let untold = unsafe { zero_at::<L, R>(row, size, pages.clone(), place) };
        if untold.count_ones() as usize > pages.len() / 4 {
            habit.telling = None;
        }
        // SAFETY: the pages are among those for which the caller vouches.
        return unsafe { zero_elsewhere::<L, R>(row, size, untold) };
    }
    // SAFETY: handed through.
    let zeros = unsafe { zero_everywhere::<L, R>(row, size, pages.clone()) };
    habit.blocks_to_sample = habit.blocks_to_sample.saturating_sub(1);
    if habit.blocks_to_sample == 0 && pages.len() >= SAMPLE_PAGES && zeros.count_ones() as usize <= pages.len() / 8 {
        habit.blocks_to_sample = BLOCKS_PER_SAMPLE;
        let sample = pages.end - SAMPLE_PAGES..pages.end;
        for place in Place::ALL {
            // SAFETY: the sample is a part of the pages.
            if habit.telling.is_none() && unsafe { zero_at::<L, R>(row, size, sample.clone(), place) } == 0 {
                habit.telling = Some(place);
            }
        }
    }
    zeros
}

/// The bits of those pages that are zero in all three places.
///
/// # Safety
/// As [`zero_probes`].
#[inline(always)]
unsafe fn zero_everywhere<L: Lanes, R: PageRow>(row: R, size: usize, pages: Range<usize>) -> u64 {
    let mut zeros = 0;
    for index in pages {
        prefetch_probes(row.page(index + AHEAD_PAGES), size);
        // SAFETY: the page is readable.
        zeros |= u64::from(unsafe { is_zero_everywhere::<L>(row.page(index), size) }) << index;
    }
    zeros
}

/// The bits of those pages that are zero in one place.
///
/// # Safety
/// As [`zero_probes`].
#[inline(always)]
unsafe fn zero_at<L: Lanes, R: PageRow>(row: R, size: usize, pages: Range<usize>, place: Place) -> u64 {
    let offset = place.offset(size);
    let mut zeros = 0;
    for index in pages {
        prefetch_far(row.page(index + AHEAD_PAGES).wrapping_add(offset));
        // SAFETY: the probe lies in the page, which is readable.
        zeros |= u64::from(unsafe { probe::<L>(row.page(index).add(offset)).is_zero() }) << index;
    }
    zeros
}

/// Of the pages that `untold` names, those that are zero in all three places.
///
/// # Safety
/// The pages are readable.
#[inline(always)]
unsafe fn zero_elsewhere<L: Lanes, R: PageRow>(row: R, size: usize, untold: u64) -> u64 {
    let mut rest = untold;
    while rest != 0 {
        prefetch_probes(row.page(rest.trailing_zeros() as usize), size);
        rest &= rest - 1;
    }
    let mut zeros = 0;
    let mut rest = untold;
    while rest != 0 {
        let index = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        // SAFETY: the page is readable.
        zeros |= u64::from(unsafe { is_zero_everywhere::<L>(row.page(index), size) }) << index;
    }
    zeros
}

/// # Safety
/// The page is readable, and has at least 512 bytes; the instruction set is there.
#[inline(always)]
unsafe fn is_zero_everywhere<L: Lanes>(page: *const u8, size: usize) -> bool {
    // SAFETY: the probes lie in the page.
    unsafe {
        let outer = probe::<L>(page).or(probe::<L>(page.add(Place::Last.offset(size))));
        outer.or(probe::<L>(page.add(Place::Middle.offset(size)))).is_zero()
    }
}

/// The OR of a probe's lanes.
///
/// # Safety
/// [`PROBE_BYTES`] bytes at `bytes` are readable; the instruction set is there.
#[inline(always)]
unsafe fn probe<L: Lanes>(bytes: *const u8) -> L {
    // SAFETY: the lanes tile the probe.
    unsafe {
        let mut sum = L::load(bytes);
        for at in (L::BYTES..PROBE_BYTES).step_by(L::BYTES) {
            sum = sum.or(L::load(bytes.add(at)));
        }
        sum
    }
}

#[inline(always)]
fn prefetch_probes(page: *const u8, size: usize) {
    for place in Place::ALL {
        prefetch_far(page.wrapping_add(place.offset(size)));
    }
}
