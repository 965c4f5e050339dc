//! Scans of real mappings in every way, against a look at every byte.

use std::ptr::null_mut;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::candidates::Piece;
use crate::dispatch::Isa;
use crate::page_tables::available_ways;
use crate::scan_task::NOT_LOOKED_AT;

/// Pseudo-random numbers (G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Bytes that nobody has touched but where the test wrote them.
struct Memory {
    bytes: Vec<u8>,
    /// The region begins here, at any alignment.
    offset: usize,
    /// Where the bytes are that are not zero, from the region's start.
    written: Vec<usize>,
}

impl Memory {
    /// Zeroed memory of this size comes from the kernel as it is.
    fn new(length: usize, offset: usize, write_count: usize, random: &mut Random) -> Self {
        let mut bytes = vec![0_u8; offset + length];
        // Writes in heaps, so that some pages have many neighbours and others none.
        let written: Vec<usize> = (0..write_count)
            .map(|_| {
                let spread = 1 << random.below(22);
                (random.below(8) * length / 8 + random.below(spread)) % length
            })
            .collect();
        for &at in &written {
            bytes[offset + at] = 1 + (at % 255) as u8;
        }
        // Around the region nothing is zero.
        bytes[..offset].fill(0xff);
        Self { bytes, offset, written }
    }

    fn base(&self) -> *const u8 {
        self.bytes[self.offset..].as_ptr()
    }
}

fn candidates_of(
    kind: usize,
    page_count: usize,
    page_size_bytes: usize,
    random: &mut Random,
) -> (Candidates, Vec<bool>) {
    let mut wanted = vec![kind == 0; page_count];
    match kind {
        0 => (Candidates::All, wanted),
        1 => {
            let mut words = vec![0_u32; 2 * page_count.div_ceil(64)];
            let density = 1 + random.below(8);
            for page in (0..page_count).filter(|_| random.below(8) < density) {
                wanted[page] = true;
                words[page / 32] |= 1 << (page % 32);
            }
            (Candidates::of_set(words.into_iter()).unwrap(), wanted)
        }
        _ => {
            let runs: Vec<(u32, u32)> = (0..random.below(20))
                .map(|_| {
                    let first_page = random.below(page_count);
                    (first_page as u32, random.below(page_count - first_page + 1) as u32)
                })
                .collect();
            for &(first_page, run_pages) in &runs {
                wanted[first_page as usize..][..run_pages as usize].fill(true);
            }
            (Candidates::of_runs(runs.into_iter(), page_size_bytes).unwrap(), wanted)
        }
    }
}

#[test]
fn every_way_agrees_with_a_look_at_every_byte() {
    let mut random = Random(0x5eed);
    let mut wishes = vec![Wish::Read, Wish::Auto { part_of_much: true }];
    let probe = vec![0_u8; 1 << 20];
    let start = probe.as_ptr() as usize;
    wishes.extend(
        available_ways(&(start..start + probe.len()))
            .into_iter()
            .map(Wish::Only),
    );
    for round in 0..120 {
        let page_size_bytes = [512, 4096, 8192, 1 << 16, 1 << 22][round % 5];
        let page_count = (1 + random.below(32 << 20)) / page_size_bytes + 1;
        let write_count = [0, 1, 40, 4000][random.below(4)];
        let offset = [0, 16, 4095][random.below(3)];
        let memory = Memory::new(page_count * page_size_bytes, offset, write_count, &mut random);
        let (candidates, wanted) = candidates_of(random.below(3), page_count, page_size_bytes, &mut random);
        let mut expected = vec![page_size_bytes as u32; page_count];
        for &at in &memory.written {
            let first = &mut expected[at / page_size_bytes];
            *first = (*first).min((at % page_size_bytes) as u32);
        }
        let wish = wishes[random.below(wishes.len())];
        let thread_count = 1 + random.below(3);
        let isa = Isa::available().nth(random.below(Isa::available().count())).unwrap();
        let mut words = vec![u32::MAX; 2 * page_count.div_ceil(64)];
        let mut offsets = vec![NOT_LOOKED_AT; page_count];
        let wants_offsets = random.below(2) == 0;
        let cancelled = AtomicBool::new(false);
        let shared = threads_share_words(&candidates, page_size_bytes, thread_count);
        let scan = RegionScan {
            base: memory.base(),
            page_size_bytes,
            page_count,
            candidates,
            kernel: isa.kernel(),
            wish,
            thread_count,
            // SAFETY: the words outlive the scan, and nobody else writes them.
            results: unsafe { ResultBits::new(words.as_mut_ptr(), words.len(), shared) },
            first_non_zero: if wants_offsets {
                offsets.as_mut_ptr()
            } else {
                null_mut()
            },
            cancelled: &cancelled,
        };
        // SAFETY: memory and entries outlive the scan; the instruction set is available.
        let outcome = unsafe { scan.run() }.unwrap();
        let what = format!("round {round}: {wish:?}, {isa:?}, {thread_count} threads, {page_size_bytes}, {offset}");
        for page in 0..page_count {
            let is_zero = words[page / 32] >> (page % 32) & 1 == 1;
            assert_eq!(
                is_zero,
                wanted[page] && expected[page] as usize == page_size_bytes,
                "{what}: page {page}"
            );
            let entry = if wanted[page] && wants_offsets {
                expected[page]
            } else {
                NOT_LOOKED_AT
            };
            assert_eq!(offsets[page], entry, "{what}: page {page}");
        }
        let looked_at = outcome.read_page_count + outcome.untouched_page_count;
        assert!(
            looked_at >= wanted.iter().filter(|&&wanted| wanted).count() as u64,
            "{what}"
        );
        assert_eq!(
            wish == Wish::Read,
            outcome.untouched_by.is_none(),
            "{what}: {}",
            outcome.because
        );
    }
}

#[test]
fn pages_that_were_never_touched_are_not_read() {
    const PAGE_COUNT: usize = 32 << 10;
    let mut memory = vec![0_u8; PAGE_COUNT * 4096];
    memory[5 << 20] = 1;
    // Twice: the first scan has not populated anything.
    for _ in 0..2 {
        let mut words = vec![0_u32; PAGE_COUNT / 32];
        let cancelled = AtomicBool::new(false);
        let scan = RegionScan {
            base: memory.as_ptr(),
            page_size_bytes: 4096,
            page_count: PAGE_COUNT,
            candidates: Candidates::All,
            kernel: Isa::best().kernel(),
            wish: Wish::Auto { part_of_much: false },
            thread_count: 2,
            // SAFETY: the words outlive the scan; the threads' pieces have words of their own.
            results: unsafe { ResultBits::new(words.as_mut_ptr(), words.len(), false) },
            first_non_zero: null_mut(),
            cancelled: &cancelled,
        };
        // SAFETY: the memory outlives the scan; the instruction set is available.
        let outcome = unsafe { scan.run() }.unwrap();
        assert!(outcome.untouched_by.is_some(), "{}", outcome.because);
        // The allocator writes at the beginning; a huge page may stand behind a single write.
        assert!(
            outcome.read_page_count < 2000,
            "{} pages were read",
            outcome.read_page_count
        );
        assert_eq!(scan.results.count(), PAGE_COUNT as u64 - 1);
    }
}

#[test]
fn a_cancelled_scan_ends_without_wrong_bits() {
    let memory = vec![1_u8; 1 << 20];
    let mut words = vec![u32::MAX; 8];
    let cancelled = AtomicBool::new(true);
    let scan = RegionScan {
        base: memory.as_ptr(),
        page_size_bytes: 4096,
        page_count: 256,
        candidates: Candidates::Runs(vec![Piece {
            first_page: 0,
            page_count: 256,
        }]),
        kernel: Isa::best().kernel(),
        wish: Wish::Read,
        thread_count: 1,
        // SAFETY: the words outlive the scan.
        results: unsafe { ResultBits::new(words.as_mut_ptr(), words.len(), false) },
        first_non_zero: null_mut(),
        cancelled: &cancelled,
    };
    // SAFETY: the memory outlives the scan; the instruction set is available.
    let outcome = unsafe { scan.run() }.unwrap();
    assert_eq!((outcome.read_page_count, scan.results.count()), (0, 0));
}
