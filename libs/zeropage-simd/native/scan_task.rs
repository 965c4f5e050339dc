//! A scan on a thread of Node.js's pool, for memory that stays where it is whatever JavaScript does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use napi::bindgen_prelude::Uint32Array;
use napi::{Env, Result, Task};
use napi_derive::napi;

use crate::candidates::Candidates;
use crate::page_kernel::Kernel;
use crate::scan_arguments::{CheckedSettings, NativeOutcome, Region, failed};
use crate::scan_cancellation::ScanProgress;

/// What a scan found, in memory of its own.
#[napi(object, object_from_js = false)]
pub struct ScanFindings {
    pub outcome: NativeOutcome,
    pub words: Uint32Array,
    /// One entry a page where that was asked for; [`NOT_LOOKED_AT`] for pages that were not looked at.
    pub first_non_zero_bytes: Option<Uint32Array>,
}

/// The task.
pub struct ScanTask {
    pub region: Region,
    /// Taken when it runs.
    pub candidates: Option<Candidates>,
    pub kernel: Kernel,
    pub settings: CheckedSettings,
    pub words: Vec<u32>,
    pub first_non_zero: Option<Vec<u32>>,
    pub progress: Arc<ScanProgress>,
}

// SAFETY: the region's address is used for reading only, and whoever made the task vouches that it stays readable.
unsafe impl Send for ScanTask {}

impl ScanTask {
    fn run(&mut self) -> Result<NativeOutcome> {
        if !self.progress.begin() {
            return Err(failed("the scan was cancelled before it began"));
        }
        let candidates = self.candidates.take().ok_or_else(|| failed("a scan runs once"))?;
        let first_non_zero = self
            .first_non_zero
            .as_mut()
            .map_or(std::ptr::null_mut(), |entries| entries.as_mut_ptr());
        // SAFETY: the maker vouches for the region, by its capsule or by what JavaScript holds on to; the words and entries
        // are our own, as many as the region has pages.
        unsafe {
            self.region.scan(
                candidates,
                self.kernel,
                self.settings,
                self.words.as_mut_ptr(),
                first_non_zero,
                self.progress.is_cancelled(),
            )
        }
        .map(NativeOutcome::new)
    }
}

impl Task for ScanTask {
    type Output = NativeOutcome;
    type JsValue = ScanFindings;

    fn compute(&mut self) -> Result<NativeOutcome> {
        catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|_| Err(failed("the scan panicked")))
    }

    fn resolve(&mut self, _env: Env, outcome: NativeOutcome) -> Result<ScanFindings> {
        Ok(ScanFindings {
            outcome,
            words: Uint32Array::new(std::mem::take(&mut self.words)),
            first_non_zero_bytes: self.first_non_zero.take().map(Uint32Array::new),
        })
    }
}

/// The entry of a page that was not looked at.
pub const NOT_LOOKED_AT: u32 = u32::MAX;

/// So many words, or an error where there is no memory for them.
pub fn words_of(word: u32, count: usize) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    words
        .try_reserve_exact(count)
        .map_err(|_| failed("no memory for the result"))?;
    words.resize(count, word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::candidates::Piece;
    use crate::dispatch::Isa;
    use crate::scan_cancellation::ScanCancellation;

    const PAGE_COUNT: usize = 256;
    const PAGE_BYTES: usize = 4096;

    /// Looks at the same megabyte again and again.
    fn task_over(memory: &[u8], rounds: usize, cancellation: &ScanCancellation) -> ScanTask {
        assert_eq!(memory.len(), PAGE_COUNT * PAGE_BYTES);
        let whole = Piece {
            first_page: 0,
            page_count: PAGE_COUNT,
        };
        ScanTask {
            region: Region {
                base: memory.as_ptr(),
                page_size_bytes: PAGE_BYTES,
                page_count: PAGE_COUNT,
                capsule: None,
            },
            candidates: Some(Candidates::Runs(vec![whole; rounds])),
            kernel: Isa::best().kernel(),
            settings: CheckedSettings::DEFAULT,
            words: words_of(0, 2 * PAGE_COUNT.div_ceil(64)).unwrap(),
            first_non_zero: None,
            progress: cancellation.progress(),
        }
    }

    #[test]
    fn a_scan_that_is_cancelled_from_another_thread_ends_before_its_time() {
        // So many that nobody could have looked at them all by the time of the cancellation.
        const ROUNDS: usize = 1_000_000;
        let memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
        let cancellation = ScanCancellation::new();
        let mut task = task_over(&memory, ROUNDS, &cancellation);
        let outcome = thread::scope(|scope| {
            scope.spawn(|| {
                while !cancellation.progress().has_begun() {
                    thread::yield_now();
                }
                assert!(!cancellation.cancel());
            });
            task.compute().unwrap()
        });
        assert!(outcome.read_page_count < (ROUNDS * PAGE_COUNT) as f64);
    }

    #[test]
    fn a_scan_that_is_cancelled_before_it_begins_looks_at_nothing() {
        let memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
        let cancellation = ScanCancellation::new();
        let mut task = task_over(&memory, 1, &cancellation);
        assert!(cancellation.cancel());
        assert!(task.compute().is_err());
        assert!(task.candidates.is_some() && task.words.iter().all(|&word| word == 0));
    }

    #[test]
    fn a_scan_that_nobody_cancels_looks_at_everything() {
        let memory = vec![0_u8; PAGE_COUNT * PAGE_BYTES];
        let cancellation = ScanCancellation::new();
        let mut task = task_over(&memory, 3, &cancellation);
        let outcome = task.compute().unwrap();
        assert_eq!(
            outcome.read_page_count + outcome.untouched_page_count,
            3.0 * PAGE_COUNT as f64
        );
        assert_eq!(outcome.zero_page_count as usize, PAGE_COUNT);
        assert!(!cancellation.cancel());
    }
}
