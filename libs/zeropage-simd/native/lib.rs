//! Finds all-zero pages with AVX-512, AVX2 or SSE2, and in plain TypeScript where the native build is missing.
//!
//! This file is the JavaScript side; [`dispatch`] chooses a kernel, [`scanner`] walks over pages.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bitmap_scan;
mod dispatch;
mod scalar;
mod scanner;
#[cfg(target_arch = "x86_64")]
mod sse2;

use godwit_ports::{Capsule, JsCapsule, JsView, ScannerTable};
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::bitmap_scan::{BitmapScan, PAGE_SIZES_BYTES};
use crate::dispatch::Isa;
use crate::scanner::ZeroPageScanner;

/// The instruction sets that this processor has and this build knows, fastest first.
#[napi]
pub fn isas() -> Vec<String> {
    Isa::available().map(|isa| isa.name().to_owned()).collect()
}

/// Sets the bits of the zero pages of `memory` in `into` and clears the others; looks only at `candidates` if given.
/// Returns the number of zero pages.
#[napi]
pub fn scan(
    memory: JsView<u8>,
    page_size_bytes: u32,
    into: JsView<u32>,
    candidates: Option<JsView<u32>>,
    isa: Option<String>,
) -> Result<u32> {
    let scanner = ZeroPageScanner::new(wanted_isa(isa)?);
    let page_size_bytes = page_size_bytes as usize;
    if !page_size_bytes.is_power_of_two() || !PAGE_SIZES_BYTES.contains(&page_size_bytes) {
        return Err(invalid("a page size is a power of two between 512 bytes and 1 GiB"));
    }
    if !memory.length().is_multiple_of(page_size_bytes) {
        return Err(invalid("the memory is not a whole number of pages"));
    }
    let page_count = memory.length() / page_size_bytes;
    let word_count = 2 * page_count.div_ceil(64);
    if into.length() != word_count || candidates.is_some_and(|words| words.length() != word_count) {
        return Err(invalid("a bitmap does not have as many words as the memory has pages"));
    }
    let scan = BitmapScan {
        base: memory.pointer(),
        page_size_bytes,
        page_count,
        candidates: candidates.map(|words| words.pointer().cast_const()),
        into: into.pointer(),
    };
    // SAFETY: the views cover page_count pages and word_count words, checked above, for as long as this call lasts.
    Ok(unsafe { scan.run(&scanner) })
}

/// A scanner for other native packages.
#[napi]
pub fn create_scanner_capsule(isa: Option<String>) -> Result<JsCapsule<ScannerTable>> {
    Ok(JsCapsule(Capsule::<ScannerTable>::export(ZeroPageScanner::new(
        wanted_isa(isa)?,
    ))))
}

fn wanted_isa(name: Option<String>) -> Result<Isa> {
    let Some(name) = name else {
        return Ok(Isa::best());
    };
    Isa::available().find(|isa| isa.name() == name).ok_or_else(|| {
        Error::new(
            Status::GenericFailure,
            format!("ERR_GODWIT_UNSUPPORTED: this processor or this build has no {name} scanner"),
        )
    })
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}
