//! A scan of a region: its pieces, on one thread or on several, until it is done or cancelled.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crate::candidates::{Candidates, pages_per_piece};
use crate::page_kernel::Kernel;
use crate::page_tables::PageTables;
use crate::piece_scan::PieceScan;
use crate::result_bits::ResultBits;
use crate::untouched::{Asked, Way, Wish};

/// Asking the page tables begins with a look at the list of mappings, which takes as long as reading a few megabytes: where
/// it is not asked for in words, only this many bytes of candidates and more are worth it.
const ASK_BYTES_MIN: usize = 64 << 20;

/// What is scanned, and into what.
pub struct RegionScan<'a> {
    pub base: *const u8,
    pub page_size_bytes: usize,
    pub page_count: usize,
    pub candidates: Candidates,
    pub kernel: Kernel,
    pub wish: Wish,
    /// At least one.
    pub thread_count: usize,
    pub results: ResultBits,
    /// One entry a page, or null where nobody asks.
    pub first_non_zero: *mut u32,
    pub cancelled: &'a AtomicBool,
}

// SAFETY: whoever makes one vouches that the pages are readable and the entries writable from any thread while it runs;
// each entry is written by threads that scan its page, all alike but for what is written to the page meanwhile.
unsafe impl Sync for RegionScan<'_> {}

/// How a scan went.
pub struct Outcome {
    pub read_page_count: u64,
    pub untouched_page_count: u64,
    pub untouched_by: Option<Way>,
    /// Why nothing or no better way was asked; empty where there is nothing to say.
    pub because: Cow<'static, str>,
    pub thread_count: usize,
}

/// The way that was wished for is not there, because of this.
#[derive(Debug)]
pub struct Unsupported(pub Cow<'static, str>);

/// What several threads of a scan count together.
#[derive(Default)]
struct Tally {
    read_page_count: AtomicU64,
    untouched_page_count: AtomicU64,
}

impl RegionScan<'_> {
    /// The addresses of the region.
    fn addresses(&self) -> Range<usize> {
        let start = self.base as usize;
        start..start + self.page_count * self.page_size_bytes
    }

    /// The address of a page.
    pub fn page(&self, page: usize) -> *const u8 {
        self.base.wrapping_add(page * self.page_size_bytes)
    }

    /// Clears the results and sets the bits of the zero pages. After a cancellation they hold some of them.
    ///
    /// # Safety
    /// The region's pages are readable, and may be written meanwhile; the entries are writable, if any; the kernel's
    /// instruction set is there.
    pub unsafe fn run(&self) -> Result<Outcome, Unsupported> {
        let (tables, because) = match self.ask() {
            Asked::Of(tables, because) => (Some(tables), because),
            Asked::Not(because) => (None, because),
            Asked::Unsupported(because) => return Err(Unsupported(because)),
        };
        self.results.clear();
        let piece_count = self.candidates.piece_count(self.page_count, self.page_size_bytes);
        let thread_count = self.thread_count.min(piece_count).max(1);
        let tally = Tally::default();
        let tables = tables.as_ref();
        let thread_count = if thread_count > 1 {
            // SAFETY: handed through.
            unsafe { self.work_together(tables, &tally, piece_count, thread_count) }
        } else {
            let mut pieces = 0..;
            // SAFETY: handed through.
            unsafe { self.work(tables, &tally, || pieces.next().unwrap_or(usize::MAX), piece_count) };
            1
        };
        Ok(Outcome {
            read_page_count: tally.read_page_count.into_inner(),
            untouched_page_count: tally.untouched_page_count.into_inner(),
            untouched_by: tables.map(PageTables::way),
            because,
            thread_count,
        })
    }

    /// Works on this thread and on others; returns how many there were. Where no more can be had, those that run do it all.
    ///
    /// # Safety
    /// As [`RegionScan::run`].
    unsafe fn work_together(
        &self,
        tables: Option<&PageTables>,
        tally: &Tally,
        piece_count: usize,
        thread_count: usize,
    ) -> usize {
        let next = AtomicUsize::new(0);
        // SAFETY: handed through.
        let work = || unsafe { self.work(tables, tally, || next.fetch_add(1, Ordering::Relaxed), piece_count) };
        thread::scope(|scope| {
            let others = (1..thread_count).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok());
            let others = others.count();
            work();
            1 + others
        })
    }

    fn ask(&self) -> Asked<PageTables> {
        let only = match self.wish {
            Wish::Read => return Asked::Not("".into()),
            Wish::Auto { part_of_much } if !part_of_much && !self.is_worth_asking() => {
                return Asked::Not("so little memory is read faster than its page tables are asked".into());
            }
            Wish::Auto { .. } => None,
            Wish::Only(way) => Some(way),
        };
        if self.page_count == 0 {
            return Asked::Not("there are no pages".into());
        }
        PageTables::over(&self.addresses(), only)
    }

    fn is_worth_asking(&self) -> bool {
        let pages_min = ASK_BYTES_MIN / self.page_size_bytes;
        self.page_count >= pages_min && self.candidates.count(self.page_count) >= pages_min
    }

    /// Scans pieces until there are no more.
    ///
    /// # Safety
    /// As [`RegionScan::run`].
    unsafe fn work(
        &self,
        tables: Option<&PageTables>,
        tally: &Tally,
        mut next_piece: impl FnMut() -> usize,
        piece_count: usize,
    ) {
        let mut piece_scan = PieceScan::new(self, tables);
        loop {
            let index = next_piece();
            if index >= piece_count || self.cancelled.load(Ordering::Relaxed) {
                break;
            }
            let piece = self.candidates.piece(index, self.page_count, self.page_size_bytes);
            // SAFETY: handed through; the piece is one of the region's.
            unsafe { piece_scan.scan(piece) };
        }
        // SAFETY: handed through.
        unsafe { piece_scan.finish() };
        tally
            .read_page_count
            .fetch_add(piece_scan.read_page_count, Ordering::Relaxed);
        tally
            .untouched_page_count
            .fetch_add(piece_scan.untouched_page_count, Ordering::Relaxed);
    }
}

/// Whether threads may meet at one word of the results.
pub fn threads_share_words(candidates: &Candidates, page_size_bytes: usize, thread_count: usize) -> bool {
    let whole_words = pages_per_piece(page_size_bytes).is_multiple_of(64) && !matches!(candidates, Candidates::Runs(_));
    thread_count > 1 && !whole_words
}

#[cfg(all(test, target_os = "linux"))]
#[path = "region_scan_tests.rs"]
mod tests;
