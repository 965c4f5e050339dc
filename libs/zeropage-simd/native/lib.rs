//! Finds all-zero pages with AVX-512, AVX2, SSE2 or NEON, and in plain TypeScript where the native build is missing.
//!
//! This file is the JavaScript side. [`page_kernel`] looks at pages, with the [`lanes`] of the instruction set that
//! [`dispatch`] chose; [`region_scan`] goes over a region, and [`page_tables`] tells what of it needs no look.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod beside_memory;
mod candidates;
mod dispatch;
mod lanes;
#[cfg(target_os = "linux")]
mod mappings;
#[cfg(target_arch = "aarch64")]
mod neon;
mod page_kernel;
mod page_read;
mod page_row;
#[cfg(target_os = "linux")]
mod page_tables;
#[cfg(not(target_os = "linux"))]
#[path = "page_tables_elsewhere.rs"]
mod page_tables;
#[cfg(target_os = "linux")]
mod pagemap;
mod piece_scan;
mod prefetch;
mod presence;
mod probes;
#[cfg(target_os = "linux")]
mod procmap_query;
mod region_scan;
mod result_bits;
mod scalar;
mod scan_arguments;
mod scan_cancellation;
mod scan_task;
mod scanner;
#[cfg(target_arch = "x86_64")]
mod sse2;
mod untouched;

use std::sync::atomic::AtomicBool;

use godwit_ports::{Capsule, JsCapsule, JsView, MemoryTable, ScannerTable};
use napi::Result;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;

use crate::beside_memory::{BesideMemory, memory_of};
use crate::candidates::Candidates;
use crate::dispatch::Isa;
use crate::region_scan::Outcome;
use crate::scan_arguments::{
    CheckedSettings, JsMemory, NativeOutcome, Region, ScanSettings, check_aligned, invalid, unsupported,
};
use crate::scan_cancellation::ScanCancellation;
use crate::scan_task::{NOT_LOOKED_AT, ScanTask, words_of};
use crate::scanner::ZeroPageScanner;

/// The instruction sets that this processor has and this build knows, fastest first.
#[napi]
pub fn isas() -> Vec<String> {
    Isa::available().map(|isa| isa.name().to_owned()).collect()
}

/// A scanner with one instruction set.
#[napi]
pub struct NativeScanner {
    isa: Isa,
    scanner: ZeroPageScanner,
}

#[napi]
impl NativeScanner {
    /// With the instruction set of this name, or the fastest one.
    #[napi(constructor)]
    pub fn new(isa: Option<String>) -> Result<Self> {
        let isa = match isa {
            None => Isa::best(),
            Some(name) => Isa::available()
                .find(|isa| isa.name() == name)
                .ok_or_else(|| unsupported(&format!("this processor or this build has no {name} scanner")))?,
        };
        Ok(Self {
            isa,
            scanner: ZeroPageScanner::new(isa),
        })
    }

    #[napi(getter)]
    pub fn isa(&self) -> String {
        self.isa.name().to_owned()
    }

    /// For other native packages.
    #[napi]
    pub fn create_capsule(&self) -> JsCapsule<ScannerTable> {
        JsCapsule(Capsule::<ScannerTable>::export(self.scanner))
    }

    /// How long native memory is.
    #[napi]
    pub fn memory_length_bytes(&self, memory: JsCapsule<MemoryTable>) -> f64 {
        memory.0.length_bytes() as f64
    }

    /// As `scan` for the least that can be asked. Returns the number of zero pages.
    #[napi]
    pub fn count(
        &self,
        memory: JsMemory,
        page_size_bytes: u32,
        into: JsView<u32>,
        candidates: Option<JsView<u32>>,
        are_runs: bool,
    ) -> Result<u32> {
        let region = Region::new(memory, page_size_bytes)?;
        let candidates = region.candidates(candidates, are_runs)?;
        let (_, zero_page_count) = self.scan_region(&region, candidates, CheckedSettings::DEFAULT, into, None)?;
        Ok(zero_page_count as u32)
    }

    /// Sets the bits of the zero pages of `memory` in `into` and clears the others; looks only at `candidates` if given.
    /// Writes the offset of the first byte that is not zero of each page looked at, if asked for. Nothing is written where
    /// an argument is refused.
    #[napi]
    pub fn scan(
        &self,
        memory: JsMemory,
        page_size_bytes: u32,
        into: JsView<u32>,
        candidates: Option<JsView<u32>>,
        settings: ScanSettings,
        first_non_zero_bytes: Option<JsView<u32>>,
    ) -> Result<NativeOutcome> {
        let region = Region::new(memory, page_size_bytes)?;
        let checked = CheckedSettings::new(&settings)?;
        let candidates = region.candidates(candidates, settings.are_runs)?;
        self.scan_region(&region, candidates, checked, into, first_non_zero_bytes)
            .map(NativeOutcome::new)
    }

    /// As `scan`, beside the JavaScript thread and into memory of its own. JavaScript must hold on to `memory`. What is
    /// neither shared nor native is refused: it does not stay where it is meanwhile.
    #[napi(ts_return_type = "Promise<ScanFindings>")]
    pub fn scan_beside(
        &self,
        memory: BesideMemory,
        page_size_bytes: u32,
        candidates: Option<JsView<u32>>,
        settings: ScanSettings,
        wants_offsets: bool,
        cancellation: &ScanCancellation,
    ) -> Result<AsyncTask<ScanTask>> {
        let region = Region::new(memory_of(memory)?, page_size_bytes)?;
        Ok(AsyncTask::new(ScanTask {
            candidates: Some(region.candidates(candidates, settings.are_runs)?),
            kernel: self.scanner.kernel(),
            settings: CheckedSettings::new(&settings)?,
            words: words_of(0, region.word_count())?,
            first_non_zero: if wants_offsets {
                Some(words_of(NOT_LOOKED_AT, region.page_count)?)
            } else {
                None
            },
            progress: cancellation.progress(),
            region,
        }))
    }
}

impl NativeScanner {
    fn scan_region(
        &self,
        region: &Region,
        candidates: Candidates,
        settings: CheckedSettings,
        into: JsView<u32>,
        first_non_zero_bytes: Option<JsView<u32>>,
    ) -> Result<(Outcome, u64)> {
        if into.length() != region.word_count() {
            return Err(invalid(
                "the result's bitmap does not have as many words as the memory has pages",
            ));
        }
        check_aligned(into.pointer())?;
        let first_non_zero = match first_non_zero_bytes {
            None => std::ptr::null_mut(),
            Some(entries) if entries.length() == region.page_count => {
                check_aligned(entries.pointer())?;
                entries.pointer()
            }
            Some(_) => return Err(invalid("there is not one offset for each page")),
        };
        let kernel = self.scanner.kernel();
        let cancelled = AtomicBool::new(false);
        // SAFETY: the views cover what they say for as long as the call from JavaScript lasts, which waits for it; native
        // memory is kept by its capsule. Lengths were checked above.
        unsafe { region.scan(candidates, kernel, settings, into.pointer(), first_non_zero, &cancelled) }
    }
}
