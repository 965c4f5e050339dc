//! How pages are looked at: written once over [`Lanes`], so that every instruction set runs the same code.
//!
//! Zero pages come in rows and so do the others, and what is fast for one is slow for the other:
//!
//! - **Streaming**, after nothing but zero pages: page after page is joined by OR in one short loop, with one branch a
//!   page. That is a bare read of memory, which the processor's own prefetching serves best.
//! - **Probing**, after a page that is not zero: of up to 64 pages the first, the middle and the last 64 bytes are looked
//!   at without a branch, and those of the pages ahead are fetched meanwhile. So the misses of many pages overlap, where
//!   a look at one page after the other waits for each. A page that is not zero nearly always shows it here. Those that
//!   do not are read to their end, each once and without leaving early: leaving saves loads but stops the prefetching,
//!   which costs more.
//!
//! What was seen decides where to look first ([`crate::probes::Habit`]), so that a look that tells nothing is not repeated
//! over and over; it never decides what is found.

use std::ops::Range;

use crate::candidates::low_bits;
use crate::lanes::Lanes;
use crate::page_read::{PART_BYTES, is_zero_page, is_zero_page_before};
use crate::page_row::{Listed, PageRow, Run};
use crate::probes::{Habit, sample_tells, zero_probes};

/// How many pages a kernel looks at in one go: their answers are the bits of one word.
pub const PAGES_PER_BLOCK: usize = 64;

/// One instruction set's kernel. Its functions may be called where the processor has it.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// `(first, page_size_bytes, page_count)`: how many pages from `first` on are zero, up to the first that is not.
    pub zero_pages_ahead: unsafe fn(*const u8, usize, usize) -> usize,
    /// `(first, page_size_bytes, page_count, habit)`: bit i tells whether the page i places behind `first` is zero.
    pub zero_pages_of_run: unsafe fn(*const u8, usize, usize, &mut Habit) -> u64,
    /// `(base, page_size_bytes, pages, page_count, habit)`: bit i tells whether page `pages[i]` is zero, of the first
    /// `page_count`; the others come next.
    pub zero_pages_of_list: unsafe fn(*const u8, usize, &[u64], usize, &mut Habit) -> u64,
    /// `(page, page_size_bytes)`: the offset of the first byte that is not zero; the page size where there is none.
    pub first_non_zero: unsafe fn(*const u8, usize) -> usize,
}

/// Makes a [`Kernel`] of lanes, with the instruction set switched on that they need.
macro_rules! kernel {
    ($lanes:ty $(, $feature:literal)?) => {
        /// The kernel of this instruction set.
        pub const KERNEL: crate::page_kernel::Kernel = crate::page_kernel::Kernel {
            zero_pages_ahead,
            zero_pages_of_run,
            zero_pages_of_list,
            first_non_zero,
        };

        /// # Safety
        /// As [`crate::page_kernel::zero_pages_ahead`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn zero_pages_ahead(first: *const u8, page_size_bytes: usize, page_count: usize) -> usize {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::zero_pages_ahead::<$lanes>(first, page_size_bytes, page_count) }
        }

        /// # Safety
        /// As [`crate::page_kernel::zero_pages_of_run`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn zero_pages_of_run(first: *const u8, page_size_bytes: usize, page_count: usize, habit: &mut crate::probes::Habit) -> u64 {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::zero_pages_of_run::<$lanes>(first, page_size_bytes, page_count, habit) }
        }

        /// # Safety
        /// As [`crate::page_kernel::zero_pages_of_list`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn zero_pages_of_list(base: *const u8, page_size_bytes: usize, pages: &[u64], page_count: usize, habit: &mut crate::probes::Habit) -> u64 {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::zero_pages_of_list::<$lanes>(base, page_size_bytes, pages, page_count, habit) }
        }

        /// # Safety
        /// As [`crate::page_read::first_non_zero`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn first_non_zero(page: *const u8, page_size_bytes: usize) -> usize {
            // SAFETY: handed through.
            unsafe { crate::page_read::first_non_zero::<$lanes>(page, page_size_bytes) }
        }
    };
}
pub(crate) use kernel;

/// See [`Kernel::zero_pages_ahead`].
///
/// # Safety
/// `page_count` pages of `page_size_bytes` (a power of two, at least 512) at `first` are readable. They may be written
/// meanwhile: a page is then judged by some mix of old and new bytes.
#[inline(always)]
pub unsafe fn zero_pages_ahead<L: Lanes>(first: *const u8, page_size_bytes: usize, page_count: usize) -> usize {
    let mut page = first;
    for index in 0..page_count {
        // SAFETY: the page is one of those for which the caller vouches.
        if unsafe { !is_zero_page::<L>(page, page_size_bytes) } {
            return index;
        }
        page = page.wrapping_add(page_size_bytes);
    }
    page_count
}

/// See [`Kernel::zero_pages_of_run`].
///
/// # Safety
/// `page_count` pages (at most [`PAGES_PER_BLOCK`]) of `page_size_bytes` (a power of two, at least 512) at `first` are
/// readable. They may be written meanwhile: a page is then judged by some mix of old and new bytes.
#[inline(always)]
pub unsafe fn zero_pages_of_run<L: Lanes>(
    first: *const u8,
    page_size_bytes: usize,
    page_count: usize,
    habit: &mut crate::probes::Habit,
) -> u64 {
    let run = Run { first, page_size_bytes };
    // SAFETY: handed through.
    unsafe { zero_pages::<L, _>(run, page_size_bytes, page_count, habit) }
}

/// See [`Kernel::zero_pages_of_list`].
///
/// # Safety
/// As [`zero_pages_of_run`], of the first `page_count` pages that `pages` names in the memory at `base`.
#[inline(always)]
pub unsafe fn zero_pages_of_list<L: Lanes>(
    base: *const u8,
    page_size_bytes: usize,
    pages: &[u64],
    page_count: usize,
    habit: &mut crate::probes::Habit,
) -> u64 {
    let listed = Listed {
        base,
        page_size_bytes,
        pages,
    };
    // SAFETY: handed through.
    unsafe { zero_pages::<L, _>(listed, page_size_bytes, page_count, habit) }
}

/// # Safety
/// The first `count` pages (at most [`PAGES_PER_BLOCK`]) of the row are readable.
#[inline(always)]
unsafe fn zero_pages<L: Lanes, R: PageRow>(row: R, size: usize, count: usize, habit: &mut Habit) -> u64 {
    let mut zeros = 0;
    let mut index = 0;
    if habit.streaming {
        while index < count {
            // SAFETY: the page is one of the row's.
            if !unsafe { is_zero_page::<L>(row.page(index), size) } {
                break;
            }
            zeros |= 1 << index;
            index += 1;
        }
        if index == count {
            return zeros;
        }
        index += 1;
    }
    if index < count {
        // SAFETY: the pages are the row's.
        zeros |= unsafe { zero_pages_of_mixture::<L, R>(row, size, index..count, habit) };
    }
    habit.streaming = zeros.count_ones() as usize == count;
    zeros
}

/// The bits of those pages of a range that are zero, where they probably are not all.
///
/// # Safety
/// The pages are readable; there is at least one, and the last one is below [`PAGES_PER_BLOCK`].
#[inline(always)]
unsafe fn zero_pages_of_mixture<L: Lanes, R: PageRow>(
    row: R,
    size: usize,
    pages: Range<usize>,
    habit: &mut Habit,
) -> u64 {
    let all = low_bits(pages.end) & (u64::MAX << pages.start);
    let mut zeros = 0;
    // SAFETY: the pages are readable.
    unsafe {
        if habit.untold && !sample_tells::<L, R>(row, size, pages.clone()) {
            for index in pages {
                zeros |= u64::from(is_zero_page::<L>(row.page(index), size)) << index;
            }
            habit.untold = zeros != all;
        } else {
            let unsettled = zero_probes::<L, R>(row, size, pages, habit);
            zeros = unsettled & !non_zero_pages::<L, R>(row, size, unsettled);
            habit.untold = unsettled == all && zeros != all;
        }
    }
    zeros
}

/// Of the pages that `unsettled` names, those that are not zero.
///
/// # Safety
/// The pages are readable.
#[inline(always)]
unsafe fn non_zero_pages<L: Lanes, R: PageRow>(row: R, size: usize, unsettled: u64) -> u64 {
    let mut non_zero = 0;
    let mut rest = unsettled;
    while rest != 0 {
        let index = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        let next = rest.trailing_zeros() as usize;
        // SAFETY: the page is one of the row's.
        let is_zero = unsafe {
            // The processor's own prefetching comes along to the neighbouring page, but not to one further away.
            if size <= PART_BYTES && rest != 0 && next != index + 1 {
                is_zero_page_before::<L>(row.page(index), size, row.page(next))
            } else {
                is_zero_page::<L>(row.page(index), size)
            }
        };
        non_zero |= u64::from(!is_zero) << index;
    }
    non_zero
}
