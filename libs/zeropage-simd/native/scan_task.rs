//! A scan on a thread of Node.js's pool, for memory that stays where it is whatever JavaScript does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::Uint32Array;
use napi::{Env, Result, Task};
use napi_derive::napi;

use crate::candidates::Candidates;
use crate::page_kernel::Kernel;
use crate::scan_arguments::{CheckedSettings, NativeOutcome, Region, failed};

/// Ends a scan before its time.
#[napi]
#[derive(Default)]
pub struct ScanCancellation(Arc<AtomicBool>);

#[napi]
impl ScanCancellation {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ScanCancellation {
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

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
    pub cancelled: Arc<AtomicBool>,
}

// SAFETY: the region's address is used for reading only, and whoever made the task vouches that it stays readable.
unsafe impl Send for ScanTask {}

impl ScanTask {
    fn run(&mut self) -> Result<NativeOutcome> {
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
                &self.cancelled,
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
