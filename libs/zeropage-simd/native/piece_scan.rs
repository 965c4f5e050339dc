//! The scan of one piece after the other on one thread.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::candidates::{Piece, low_bits};
use crate::page_kernel::PAGES_PER_BLOCK;
use crate::page_tables::PageTables;
use crate::presence::{Presence, Touched};
use crate::probes::{Habit, PROBE_BYTES};
use crate::region_scan::RegionScan;
use crate::scalar::first_non_zero_in;
use crate::scanner::PAGE_SIZE_BYTES_MIN;
use crate::untouched::Wish;

/// Larger pages are read in parts of this size: in between a scan can be cancelled.
const PART_BYTES: usize = 2 << 20;
/// Where it is not asked for in words, the page tables are asked about a piece with at least this many bytes of candidates.
const PIECE_ASK_BYTES_MIN: usize = PART_BYTES;
/// Scattered pages are looked at when there are this many, so that those that come next are known.
const LISTED_PAGES: usize = 2 * PAGES_PER_BLOCK;

/// What one thread carries from piece to piece.
pub struct PieceScan<'a> {
    scan: &'a RegionScan<'a>,
    tables: Option<&'a PageTables>,
    presence: Presence,
    habit: Habit,
    /// Scattered candidates that are still to be read.
    listed: Vec<u64>,
    pub read_page_count: u64,
    pub untouched_page_count: u64,
}

impl<'a> PieceScan<'a> {
    pub fn new(scan: &'a RegionScan<'a>, tables: Option<&'a PageTables>) -> Self {
        Self {
            scan,
            tables,
            presence: Presence::new(tables.map_or(1, PageTables::os_page_bytes)),
            habit: Habit::new(),
            listed: Vec::new(),
            read_page_count: 0,
            untouched_page_count: 0,
        }
    }

    /// # Safety
    /// As [`RegionScan::run`]; the piece lies in the region.
    pub unsafe fn scan(&mut self, piece: Piece) {
        // SAFETY: handed through.
        unsafe {
            if self.scan.page_size_bytes > PART_BYTES {
                for page in piece.first_page..piece.end() {
                    if self.scan.candidates.block(page, page + 1).0 != 0 {
                        self.scan_large_page(page);
                    }
                }
                return;
            }
            match self.touched(piece) {
                Touched::Everywhere => self.scan_blocks(piece),
                Touched::Nowhere => self.skip_blocks(piece),
                Touched::Partly => self.scan_islands(piece),
            }
        }
    }

    /// Reads the scattered candidates that are left.
    ///
    /// # Safety
    /// As [`RegionScan::run`].
    pub unsafe fn finish(&mut self) {
        while !self.listed.is_empty() && !self.scan.cancelled.load(Ordering::Relaxed) {
            // SAFETY: handed through.
            unsafe { self.scan_listed() };
        }
    }

    /// Asks the page tables about a piece, where that is wished for or worth it.
    fn touched(&mut self, piece: Piece) -> Touched {
        let Some(tables) = self.tables else {
            return Touched::Everywhere;
        };
        let scan = self.scan;
        let is_ours_to_decide = matches!(scan.wish, Wish::Auto { .. });
        if is_ours_to_decide && scan.candidates.count_in(piece) * scan.page_size_bytes < PIECE_ASK_BYTES_MIN {
            return Touched::Everywhere;
        }
        let addresses = self.addresses(piece.first_page, piece.page_count);
        tables.look(&addresses, &mut self.presence);
        self.presence.touched(&addresses)
    }

    fn addresses(&self, first_page: usize, page_count: usize) -> Range<usize> {
        let start = self.scan.page(first_page) as usize;
        start..start + page_count * self.scan.page_size_bytes
    }

    /// # Safety
    /// As [`PieceScan::scan`].
    unsafe fn scan_blocks(&mut self, piece: Piece) {
        let mut page = piece.first_page;
        let may_stream = self.scan.candidates.are_whole_pieces() && self.scan.first_non_zero.is_null();
        while page < piece.end() {
            if may_stream && self.habit.streaming {
                // SAFETY: the pages lie in the piece.
                page += unsafe { self.stream(page, piece.end() - page) };
                continue;
            }
            let (wanted, page_count) = self.scan.candidates.block(page, piece.end());
            // SAFETY: the block lies in the piece.
            unsafe { self.scan_block(page, page_count, wanted) };
            page += page_count;
        }
    }

    /// Reads page after page up to the first that is not zero; returns how many are.
    ///
    /// # Safety
    /// As [`RegionScan::run`]; the pages lie in the region.
    unsafe fn stream(&mut self, first_page: usize, page_count: usize) -> usize {
        let scan = self.scan;
        let first = scan.page(first_page);
        // SAFETY: handed through.
        let zero_pages = unsafe { (scan.kernel.zero_pages_ahead)(first, scan.page_size_bytes, page_count) };
        scan.results.add_run(first_page, zero_pages);
        self.read_page_count += zero_pages as u64;
        self.habit.streaming = zero_pages == page_count;
        zero_pages
    }

    /// A piece that was never touched is zero.
    fn skip_blocks(&mut self, piece: Piece) {
        let mut page = piece.first_page;
        while page < piece.end() {
            let (wanted, page_count) = self.scan.candidates.block(page, piece.end());
            self.skip(page, wanted);
            page += page_count;
        }
    }

    /// # Safety
    /// As [`PieceScan::scan`]; the presence covers the piece.
    unsafe fn scan_islands(&mut self, piece: Piece) {
        let mut page = piece.first_page;
        while page < piece.end() {
            let (wanted, page_count) = self.scan.candidates.block(page, piece.end());
            match self.presence.touched(&self.addresses(page, page_count)) {
                Touched::Nowhere => self.skip(page, wanted),
                // SAFETY: the block lies in the piece.
                Touched::Everywhere => unsafe { self.scan_block(page, page_count, wanted) },
                Touched::Partly => {
                    let (mut whole, mut untouched) = (0, 0);
                    for index in bits_of(wanted) {
                        match self.presence.touched(&self.addresses(page + index, 1)) {
                            Touched::Nowhere => untouched |= 1 << index,
                            Touched::Everywhere => whole |= 1 << index,
                            // SAFETY: the page lies in the piece, which the presence covers.
                            Touched::Partly => unsafe { self.scan_islands_of_page(page + index) },
                        }
                    }
                    self.skip(page, untouched);
                    // SAFETY: the block lies in the piece.
                    unsafe { self.scan_block(page, page_count, whole) };
                }
            }
            page += page_count;
        }
    }

    /// Sets the bits of pages that were never touched.
    fn skip(&mut self, first_page: usize, mask: u64) {
        self.untouched_page_count += u64::from(mask.count_ones());
        self.scan.results.add(first_page, mask);
        if !self.scan.first_non_zero.is_null() {
            for index in bits_of(mask) {
                self.note(first_page + index, self.scan.page_size_bytes);
            }
        }
    }

    /// Reads those of up to 64 neighbouring pages that the mask names.
    ///
    /// # Safety
    /// As [`RegionScan::run`]; the pages lie in the region.
    unsafe fn scan_block(&mut self, first_page: usize, page_count: usize, mask: u64) {
        self.read_page_count += u64::from(mask.count_ones());
        if mask == low_bits(page_count) {
            let scan = self.scan;
            let (first, size) = (scan.page(first_page), scan.page_size_bytes);
            // SAFETY: the pages lie in the region, for which the caller vouches.
            let zeros = unsafe { (scan.kernel.zero_pages_of_run)(first, size, page_count, &mut self.habit) };
            // SAFETY: as above.
            let zeros = unsafe { self.with_offsets(mask, zeros, |index| first_page + index) };
            scan.results.add(first_page, zeros);
            return;
        }
        self.listed
            .extend(bits_of(mask).map(|index| (first_page + index) as u64));
        while self.listed.len() >= LISTED_PAGES {
            // SAFETY: handed through.
            unsafe { self.scan_listed() };
        }
    }

    /// Reads the first of the listed pages, of which there are some.
    ///
    /// # Safety
    /// As [`RegionScan::run`].
    unsafe fn scan_listed(&mut self) {
        let scan = self.scan;
        let count = self.listed.len().min(PAGES_PER_BLOCK);
        // SAFETY: the pages lie in the region, for which the caller vouches.
        let zeros = unsafe {
            (scan.kernel.zero_pages_of_list)(scan.base, scan.page_size_bytes, &self.listed, count, &mut self.habit)
        };
        // SAFETY: as above.
        let zeros = unsafe { self.with_offsets(low_bits(count), zeros, |index| self.listed[index] as usize) };
        for index in bits_of(zeros) {
            scan.results.add(self.listed[index] as usize, 1);
        }
        self.listed.drain(..count);
    }

    /// Notes where the pages of a mask have their first byte that is not zero, where anybody asks. Returns which are zero:
    /// more of them, where somebody cleared a page meanwhile.
    ///
    /// # Safety
    /// As [`RegionScan::run`]; the pages lie in the region.
    unsafe fn with_offsets(&self, mask: u64, zeros: u64, page_of: impl Fn(usize) -> usize) -> u64 {
        let size = self.scan.page_size_bytes;
        if self.scan.first_non_zero.is_null() {
            return zeros;
        }
        let mut zeros = zeros;
        for index in bits_of(mask) {
            let page = page_of(index);
            let offset = if zeros >> index & 1 == 1 {
                size
            } else {
                // SAFETY: the page lies in the region, for which the caller vouches.
                unsafe { (self.scan.kernel.first_non_zero)(self.scan.page(page), size) }
            };
            zeros |= u64::from(offset == size) << index;
            self.note(page, offset);
        }
        zeros
    }

    /// Reads what is populated of a page.
    ///
    /// # Safety
    /// As [`RegionScan::run`]; the page lies in the region, and the presence covers it.
    unsafe fn scan_islands_of_page(&mut self, page: usize) {
        self.read_page_count += 1;
        let addresses = self.addresses(page, 1);
        // SAFETY: the islands lie in the page.
        let found = unsafe { self.first_non_zero_of_islands(addresses.clone()) };
        self.settle(page, found.map(|address| address - addresses.start));
    }

    /// # Safety
    /// The addresses are readable, and the presence covers them.
    unsafe fn first_non_zero_of_islands(&self, addresses: Range<usize>) -> Option<usize> {
        self.presence.islands(addresses).find_map(|island| {
            // SAFETY: the island lies in the range, for which the caller vouches.
            let found = unsafe { first_non_zero_in(island.start as *const u8, island.len()) };
            found.map(|offset| island.start + offset)
        })
    }

    /// A page that is larger than a part.
    ///
    /// # Safety
    /// As [`RegionScan::run`]; the page lies in the region.
    unsafe fn scan_large_page(&mut self, page: usize) {
        let scan = self.scan;
        let size = scan.page_size_bytes;
        let first = scan.page(page);
        let mut read = self.tables.is_none();
        // SAFETY: the probes lie in the page, for which the caller vouches.
        if self.tables.is_none() && scan.first_non_zero.is_null() && unsafe { !self.are_probes_zero(first) } {
            self.read_page_count += 1;
            return;
        }
        let mut found = None;
        for at in (0..size).step_by(PART_BYTES) {
            if scan.cancelled.load(Ordering::Relaxed) {
                return;
            }
            let start = first as usize + at;
            let part = start..start + PART_BYTES;
            let touched = match self.tables {
                Some(tables) => {
                    tables.look(&part, &mut self.presence);
                    self.presence.touched(&part)
                }
                None => Touched::Everywhere,
            };
            read |= touched != Touched::Nowhere;
            let offset = match touched {
                Touched::Nowhere => None,
                // SAFETY: the part lies in the page.
                Touched::Everywhere => unsafe { self.first_non_zero_of_part(first.wrapping_add(at)) },
                // SAFETY: as above; the presence covers the part.
                Touched::Partly => unsafe { self.first_non_zero_of_islands(part) }.map(|address| address - start),
            };
            if let Some(offset) = offset {
                found = Some(at + offset);
                break;
            }
        }
        if read {
            self.read_page_count += 1;
        } else {
            self.untouched_page_count += 1;
        }
        self.settle(page, found);
    }

    /// Whether the beginning, the middle and the end of a page are zero.
    ///
    /// # Safety
    /// The page is readable.
    unsafe fn are_probes_zero(&self, page: *const u8) -> bool {
        let size = self.scan.page_size_bytes;
        [0, size / 2, size - PAGE_SIZE_BYTES_MIN].into_iter().all(|at| {
            // SAFETY: as much as a smallest page lies in the page from there on.
            unsafe {
                (self.scan.kernel.zero_pages_of_run)(page.add(at), PAGE_SIZE_BYTES_MIN, 1, &mut Habit::new()) == 1
            }
        })
    }

    /// # Safety
    /// A part of bytes is readable.
    unsafe fn first_non_zero_of_part(&self, part: *const u8) -> Option<usize> {
        let kernel = self.scan.kernel;
        // SAFETY: handed through; a part is as large as a page may be.
        unsafe {
            if (kernel.zero_pages_of_run)(part, PART_BYTES, 1, &mut Habit::new()) == 1 {
                return None;
            }
            Some((kernel.first_non_zero)(part, PART_BYTES)).filter(|&offset| offset < PART_BYTES)
        }
    }

    fn settle(&self, page: usize, first_non_zero: Option<usize>) {
        self.scan.results.add(page, u64::from(first_non_zero.is_none()));
        self.note(page, first_non_zero.unwrap_or(self.scan.page_size_bytes));
    }

    fn note(&self, page: usize, offset: usize) {
        if !self.scan.first_non_zero.is_null() {
            // SAFETY: there is an entry for each page, as `RegionScan::run` demands, and only threads of this scan write it.
            let entry = unsafe { AtomicU32::from_ptr(self.scan.first_non_zero.add(page)) };
            // Offsets end at 1 GiB.
            entry.store(offset as u32, Ordering::Relaxed);
        }
    }
}

/// The indexes of the bits that are set, in ascending order.
fn bits_of(mask: u64) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let index = rest.trailing_zeros() as usize;
        if rest == 0 {
            return None;
        }
        rest &= rest - 1;
        Some(index)
    })
}

const _: () = assert!(PROBE_BYTES <= PAGE_SIZE_BYTES_MIN);
