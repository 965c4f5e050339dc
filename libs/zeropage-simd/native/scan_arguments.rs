//! What JavaScript hands over, checked: whatever it is, a scan stays inside its memory.

use std::ops::RangeInclusive;
use std::sync::atomic::AtomicBool;

use godwit_ports::{Capsule, JsCapsule, JsView, MemoryTable};
use napi::bindgen_prelude::Either;
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::candidates::Candidates;
use crate::page_kernel::Kernel;
use crate::region_scan::{Outcome, RegionScan, Unsupported, threads_share_words};
use crate::result_bits::ResultBits;
use crate::untouched::Wish;

const PAGE_SIZES_BYTES: RangeInclusive<usize> = 512..=1 << 30;
/// Bitmaps count pages in 32 bits.
const PAGE_COUNT_MAX: usize = u32::MAX as usize;
const THREAD_COUNT_MAX: u32 = 256;

/// Bytes of JavaScript, or native memory of another package.
pub type JsMemory = Either<JsView<u8>, JsCapsule<MemoryTable>>;

/// What a scan is told besides memory and bitmaps.
#[napi(object, object_to_js = false)]
pub struct ScanSettings {
    /// Whether the candidates are runs `[firstPage, pageCount, ...]` rather than a bitmap.
    pub are_runs: bool,
    pub thread_count: u32,
    pub untouched: String,
    /// Whether page tables are worth asking though this call is about little memory.
    pub is_part_of_much: bool,
}

/// How a scan went, as JavaScript sees it.
#[napi(object, object_from_js = false)]
pub struct NativeOutcome {
    pub zero_page_count: u32,
    pub read_page_count: f64,
    pub untouched_page_count: f64,
    pub untouched_by: String,
    pub because: String,
    pub thread_count: u32,
}

impl NativeOutcome {
    pub fn new((outcome, zero_page_count): (Outcome, u64)) -> Self {
        Self {
            zero_page_count: zero_page_count as u32,
            read_page_count: outcome.read_page_count as f64,
            untouched_page_count: outcome.untouched_page_count as f64,
            untouched_by: outcome.untouched_by.map_or("nothing", |way| way.name()).to_owned(),
            because: outcome.because.into_owned(),
            thread_count: outcome.thread_count as u32,
        }
    }
}

/// A memory in pages.
pub struct Region {
    pub base: *const u8,
    pub page_size_bytes: usize,
    pub page_count: usize,
    /// Keeps native memory where it is.
    pub capsule: Option<Capsule<MemoryTable>>,
}

impl Region {
    pub fn new(memory: JsMemory, page_size_bytes: u32) -> Result<Self> {
        let (base, length_bytes, capsule) = match memory {
            Either::A(view) => (view.pointer().cast_const(), view.length(), None),
            Either::B(JsCapsule(capsule)) => {
                let length_bytes =
                    usize::try_from(capsule.length_bytes()).map_err(|_| invalid("the memory is too large"))?;
                (capsule.base().cast_const(), length_bytes, Some(capsule))
            }
        };
        let page_size_bytes = page_size_bytes as usize;
        if !page_size_bytes.is_power_of_two() || !PAGE_SIZES_BYTES.contains(&page_size_bytes) {
            return Err(invalid("a page size is a power of two between 512 bytes and 1 GiB"));
        }
        if !length_bytes.is_multiple_of(page_size_bytes) {
            return Err(invalid("the memory is not a whole number of pages"));
        }
        let page_count = length_bytes / page_size_bytes;
        if page_count > PAGE_COUNT_MAX {
            return Err(invalid("the memory has more pages than a bitmap can have"));
        }
        Ok(Self {
            base,
            page_size_bytes,
            page_count,
            capsule,
        })
    }

    /// How many words a bitmap over the pages has.
    pub fn word_count(&self) -> usize {
        2 * self.page_count.div_ceil(64)
    }

    /// Copies what JavaScript wants looked at: it may be the result's own words, or change while other threads look.
    pub fn candidates(&self, candidates: Option<JsView<u32>>, are_runs: bool) -> Result<Candidates> {
        let Some(view) = candidates else {
            return Ok(Candidates::All);
        };
        check_aligned(view.pointer())?;
        // SAFETY: the view covers its elements for as long as the call lasts; others may write them meanwhile.
        let word = |index: usize| unsafe { view.pointer().add(index).read_volatile() };
        let short_of_memory = |_| failed("no memory for a copy of the candidates");
        if !are_runs {
            if view.length() != self.word_count() {
                return Err(invalid(
                    "the candidates' bitmap does not have as many words as the memory has pages",
                ));
            }
            return Candidates::of_set((0..view.length()).map(word)).map_err(short_of_memory);
        }
        if !view.length().is_multiple_of(2) {
            return Err(invalid("page runs come in pairs"));
        }
        let runs = (0..view.length() / 2).map(|run| (word(2 * run), word(2 * run + 1)));
        // Each number is read once: what is checked is what is used.
        let mut inside = true;
        let checked = runs.take_while(|&(first_page, page_count)| {
            inside = first_page as usize + page_count as usize <= self.page_count;
            inside
        });
        let candidates = Candidates::of_runs(checked, self.page_size_bytes).map_err(short_of_memory)?;
        if inside {
            Ok(candidates)
        } else {
            Err(invalid("a run of pages lies outside the memory"))
        }
    }

    /// Scans the region into words that have a bit for each page. Returns how many are zero, too.
    ///
    /// # Safety
    /// The region's pages are readable while this runs. `words` has [`Region::word_count`] words, and `first_non_zero` an
    /// entry for each page or is null; nobody else writes them meanwhile, but atomically.
    pub unsafe fn scan(
        &self,
        candidates: Candidates,
        kernel: Kernel,
        settings: CheckedSettings,
        words: *mut u32,
        first_non_zero: *mut u32,
        cancelled: &AtomicBool,
    ) -> Result<(Outcome, u64)> {
        let shared = threads_share_words(&candidates, self.page_size_bytes, settings.thread_count);
        let scan = RegionScan {
            base: self.base,
            page_size_bytes: self.page_size_bytes,
            page_count: self.page_count,
            candidates,
            kernel,
            wish: settings.wish,
            thread_count: settings.thread_count,
            // SAFETY: the caller vouches for the words.
            results: unsafe { ResultBits::new(words, self.word_count(), shared) },
            first_non_zero,
            cancelled,
        };
        // SAFETY: the caller vouches for the memory; kernels come from Isa::available.
        let outcome = unsafe { scan.run() }.map_err(|Unsupported(why)| unsupported(&why))?;
        Ok((outcome, scan.results.count()))
    }
}

/// Settings that were checked.
#[derive(Clone, Copy)]
pub struct CheckedSettings {
    thread_count: usize,
    wish: Wish,
}

impl CheckedSettings {
    /// One thread, which asks the page tables where they are worth asking.
    pub const DEFAULT: Self = Self {
        thread_count: 1,
        wish: Wish::Auto { part_of_much: false },
    };

    pub fn new(settings: &ScanSettings) -> Result<Self> {
        let thread_count = settings.thread_count;
        if !(1..=THREAD_COUNT_MAX).contains(&thread_count) {
            return Err(invalid("a scan runs on 1 to 256 threads"));
        }
        let wish = Wish::of_name(&settings.untouched, settings.is_part_of_much)
            .ok_or_else(|| invalid("there is no such way to find untouched pages"))?;
        Ok(Self {
            thread_count: thread_count as usize,
            wish,
        })
    }
}

pub fn check_aligned(words: *const u32) -> Result<()> {
    if words.is_aligned() {
        Ok(())
    } else {
        Err(invalid("a bitmap does not begin at a multiple of four bytes"))
    }
}

pub fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}

pub fn failed(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_NATIVE_FAILED: {message}"))
}

pub fn unsupported(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_UNSUPPORTED: {message}"))
}
