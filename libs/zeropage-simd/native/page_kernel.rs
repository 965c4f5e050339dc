//! How pages are looked at: written once over [`Lanes`], so that every instruction set runs the same code.
//!
//! Zero pages come in rows and so do the others, and what is fast for one is slow for the other:
//!
//! - **Streaming**, after nothing but zero pages: page after page is joined by OR in one short loop, with one branch a
//!   page. That is a bare read of memory, which the processor's own prefetching serves best.
//! - **Probing**, after a page that is not zero: of up to 64 pages the first, the middle and the last 64 bytes are joined
//!   by OR without a branch, and those of the pages ahead are fetched meanwhile. So the misses of many pages overlap,
//!   where a look at one page after the other waits for each. A page that is not zero nearly always shows it here. Those
//!   that do not are read to their end, each once and without leaving early: leaving saves loads but stops the
//!   prefetching, which costs more.

use crate::lanes::Lanes;
use crate::page_row::{Listed, PageRow, Run};
use crate::prefetch::{prefetch_far, prefetch_near};

/// How many pages a kernel looks at in one go: their answers are the bits of one word.
pub const PAGES_PER_BLOCK: usize = 64;
/// Of each probe; a cache line.
pub const PROBE_BYTES: usize = 64;
/// A page is read to its end in parts of this size, with a look at the result behind each.
const PART_BYTES: usize = 4096;
/// The probes of the page this many places ahead are fetched.
const PROBE_AHEAD_PAGES: usize = 32;
/// As many independent chains of ORs as the loads of two cycles feed.
const CHAINS: usize = 8;

/// One instruction set's kernel. Its functions may be called where the processor has it.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// `(first, page_size_bytes, page_count, streaming)`: bit i tells whether the page i places behind `first` is zero.
    pub zero_pages_of_run: unsafe fn(*const u8, usize, usize, &mut bool) -> u64,
    /// `(base, page_size_bytes, pages, page_count, streaming)`: bit i tells whether page `pages[i]` is zero, of the first
    /// `page_count`; the others come next.
    pub zero_pages_of_list: unsafe fn(*const u8, usize, &[u64], usize, &mut bool) -> u64,
    /// `(page, page_size_bytes)`: the offset of the first byte that is not zero; the page size where there is none.
    pub first_non_zero: unsafe fn(*const u8, usize) -> usize,
}

/// Makes a [`Kernel`] of lanes, with the instruction set switched on that they need.
macro_rules! kernel {
    ($lanes:ty $(, $feature:literal)?) => {
        /// The kernel of this instruction set.
        pub const KERNEL: crate::page_kernel::Kernel = crate::page_kernel::Kernel {
            zero_pages_of_run,
            zero_pages_of_list,
            first_non_zero,
        };

        /// # Safety
        /// As [`crate::page_kernel::zero_pages_of_run`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn zero_pages_of_run(first: *const u8, page_size_bytes: usize, page_count: usize, streaming: &mut bool) -> u64 {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::zero_pages_of_run::<$lanes>(first, page_size_bytes, page_count, streaming) }
        }

        /// # Safety
        /// As [`crate::page_kernel::zero_pages_of_list`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn zero_pages_of_list(base: *const u8, page_size_bytes: usize, pages: &[u64], page_count: usize, streaming: &mut bool) -> u64 {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::zero_pages_of_list::<$lanes>(base, page_size_bytes, pages, page_count, streaming) }
        }

        /// # Safety
        /// As [`crate::page_kernel::first_non_zero`]; the processor has the instruction set.
        $(#[target_feature(enable = $feature)])?
        unsafe fn first_non_zero(page: *const u8, page_size_bytes: usize) -> usize {
            // SAFETY: handed through.
            unsafe { crate::page_kernel::first_non_zero::<$lanes>(page, page_size_bytes) }
        }
    };
}
pub(crate) use kernel;

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
    streaming: &mut bool,
) -> u64 {
    let run = Run { first, page_size_bytes };
    // SAFETY: handed through.
    unsafe { zero_pages::<L, _>(run, page_size_bytes, page_count, streaming) }
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
    streaming: &mut bool,
) -> u64 {
    let listed = Listed {
        base,
        page_size_bytes,
        pages,
    };
    // SAFETY: handed through.
    unsafe { zero_pages::<L, _>(listed, page_size_bytes, page_count, streaming) }
}

/// # Safety
/// The first `count` pages (at most [`PAGES_PER_BLOCK`]) of the row are readable.
#[inline(always)]
unsafe fn zero_pages<L: Lanes, R: PageRow>(row: R, size: usize, count: usize, streaming: &mut bool) -> u64 {
    let mut zeros = 0;
    let mut index = 0;
    if *streaming {
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
        for ahead in index..count.min(index + PROBE_AHEAD_PAGES) {
            prefetch_probes(row.page(ahead), size);
        }
    }
    // SAFETY: the pages are the row's.
    zeros |= unsafe { zero_probes::<L, R>(row, size, index, count) };
    let unsettled = if index < PAGES_PER_BLOCK {
        zeros & (u64::MAX << index)
    } else {
        0
    };
    // SAFETY: the pages are the row's.
    zeros &= !unsafe { non_zero_pages::<L, R>(row, size, unsettled) };
    *streaming = zeros.count_ones() as usize == count;
    zeros
}

/// The bits of those pages of `[from, to)` whose probes are all zero.
///
/// # Safety
/// The pages are readable.
#[inline(always)]
unsafe fn zero_probes<L: Lanes, R: PageRow>(row: R, size: usize, from: usize, to: usize) -> u64 {
    let mut zeros = 0;
    for index in from..to {
        prefetch_probes(row.page(index + PROBE_AHEAD_PAGES), size);
        let page = row.page(index);
        // SAFETY: the probes lie in the page, as it has at least 512 bytes.
        let is_zero = unsafe {
            let outer = probe::<L>(page).or(probe::<L>(page.add(size - PROBE_BYTES)));
            outer.or(probe::<L>(page.add(size / 2))).is_zero()
        };
        zeros |= u64::from(is_zero) << index;
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
            if size == PART_BYTES && rest != 0 && next != index + 1 {
                is_zero_page_before::<L>(row.page(index), row.page(next))
            } else {
                is_zero_page::<L>(row.page(index), size)
            }
        };
        non_zero |= u64::from(!is_zero) << index;
    }
    non_zero
}

/// # Safety
/// The page is readable; its size is a power of two of at least 512.
#[inline(always)]
unsafe fn is_zero_page<L: Lanes>(page: *const u8, size: usize) -> bool {
    if size <= PART_BYTES {
        // SAFETY: the page is a part.
        return unsafe { or_part::<L>(page, size).is_zero() };
    }
    // SAFETY: page and part sizes are powers of two, so the parts tile the page.
    (0..size)
        .step_by(PART_BYTES)
        .all(|at| unsafe { or_part::<L>(page.add(at), PART_BYTES).is_zero() })
}

/// All lanes of a part, joined by OR without a branch that depends on them.
///
/// # Safety
/// `bytes` bytes (a multiple of the stride, at least one) at `part` are readable; the instruction set is there.
#[inline(always)]
unsafe fn or_part<L: Lanes>(part: *const u8, bytes: usize) -> L {
    // SAFETY: every load lies in a stride, and the strides tile the part.
    unsafe {
        let mut chains = [L::zero(); CHAINS];
        let mut stride = part;
        let end = part.add(bytes);
        loop {
            or_stride(stride, &mut chains);
            stride = stride.add(L::STRIDE_BYTES);
            if stride >= end {
                return joined(chains);
            }
        }
    }
}

/// As [`is_zero_page`] for a page of [`PART_BYTES`], fetching the page that will be read after it alongside.
///
/// # Safety
/// The first page is readable; the instruction set is there.
#[inline(always)]
unsafe fn is_zero_page_before<L: Lanes>(page: *const u8, next: *const u8) -> bool {
    // SAFETY: every load lies in a stride, and the strides tile the page.
    unsafe {
        let mut chains = [L::zero(); CHAINS];
        for at in (0..PART_BYTES).step_by(L::STRIDE_BYTES) {
            or_stride(page.add(at), &mut chains);
            for line in (0..L::STRIDE_BYTES).step_by(PROBE_BYTES) {
                prefetch_near(next.wrapping_add(at + line));
            }
        }
        joined(chains).is_zero()
    }
}

/// # Safety
/// A stride of bytes at `stride` is readable; the instruction set is there.
#[inline(always)]
unsafe fn or_stride<L: Lanes>(stride: *const u8, chains: &mut [L; CHAINS]) {
    for lane in 0..L::STRIDE_BYTES / L::BYTES {
        // SAFETY: the load lies in the stride.
        unsafe { chains[lane % CHAINS] = chains[lane % CHAINS].or(L::load(stride.add(lane * L::BYTES))) };
    }
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn joined<L: Lanes>([a, b, c, d, e, f, g, h]: [L; CHAINS]) -> L {
    // SAFETY: handed through.
    unsafe { a.or(b).or(c.or(d)).or(e.or(f).or(g.or(h))) }
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
    prefetch_far(page);
    prefetch_far(page.wrapping_add(size / 2));
    prefetch_far(page.wrapping_add(size - PROBE_BYTES));
}

/// See [`Kernel::first_non_zero`].
///
/// # Safety
/// `size` bytes (a power of two, at least 512) at `page` are readable.
#[inline(always)]
pub unsafe fn first_non_zero<L: Lanes>(page: *const u8, size: usize) -> usize {
    for stride in (0..size).step_by(L::STRIDE_BYTES) {
        // SAFETY: the strides tile the page, and the words the stride.
        unsafe {
            let mut chains = [L::zero(); CHAINS];
            or_stride(page.add(stride), &mut chains);
            if joined(chains).is_zero() {
                continue;
            }
            // A byte that somebody cleared meanwhile is not found again, and the search goes on behind the stride.
            for at in (stride..stride + L::STRIDE_BYTES).step_by(size_of::<u64>()) {
                let word = page.add(at).cast::<u64>().read_unaligned().to_le();
                if word != 0 {
                    return at + word.trailing_zeros() as usize / 8;
                }
            }
        }
    }
    size
}
