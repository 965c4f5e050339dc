//! What the micro-benchmarks measure against: bare loops that read and copy memory, the kernel's bare walk over page
//! tables, and memory to do it in. Called from JavaScript, which takes the time around a call of milliseconds.

mod copy_loop;
mod mapping;
mod pagemap;
mod processor;
mod read_loop;

use std::sync::Arc;

use godwit_ports::{Capsule, CapsuleError, JsCapsule, JsView, Memory, MemoryTable};
use napi::bindgen_prelude::Uint8Array;
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::copy_loop::CopyLoop;
use crate::mapping::Mapping;
use crate::read_loop::ReadLoop;

/// Names of the loops that this processor can run.
#[napi]
pub fn read_loops() -> Vec<String> {
    ReadLoop::available()
        .map(|read_loop| read_loop.name.to_owned())
        .collect()
}

/// Names of the ways to copy that this processor has.
#[napi]
pub fn copy_loops() -> Vec<String> {
    CopyLoop::available().map(|(name, _)| name.to_owned()).collect()
}

/// Reads `memory` `passes` times on `threads` threads, each its own part; whether any byte is not zero.
#[napi]
pub fn read(memory: JsView<u8>, read_loop: String, passes: u32, threads: u32) -> Result<bool> {
    let read_loop = ReadLoop::named(&read_loop).ok_or_else(|| unsupported(&format!("no {read_loop} loop here")))?;
    let parts = parts(memory.length(), threads, read_loop::STRIDE_BYTES)?;
    let base = memory.pointer() as usize;
    Ok(on_threads(&parts, |(start, length)| {
        // SAFETY: the parts lie in the view, which JavaScript holds for the length of this call.
        unsafe { read_loop.read((base + start) as *const u8, length, passes) }
    }))
}

/// Copies `from` to `to`, equally long and apart, `passes` times on `threads` threads.
#[napi]
pub fn copy(from: JsView<u8>, to: JsView<u8>, copy_loop: String, passes: u32, threads: u32) -> Result<()> {
    let copy_loop = CopyLoop::named(&copy_loop).ok_or_else(|| unsupported(&format!("no {copy_loop} copy here")))?;
    let (source, target) = (from.pointer() as usize, to.pointer() as usize);
    if from.length() != to.length() || source.abs_diff(target) < from.length() || target % 64 != 0 {
        return Err(invalid(
            "a copy is between equally long memories, apart and aligned to 64 bytes",
        ));
    }
    let parts = parts(from.length(), threads, copy_loop::STRIDE_BYTES)?;
    on_threads(&parts, |(start, length)| {
        // SAFETY: the parts lie in both views, apart and aligned as checked above.
        unsafe {
            copy_loop.copy(
                (source + start) as *const u8,
                (target + start) as *mut u8,
                length,
                passes,
            )
        };
        false
    });
    Ok(())
}

/// Keeps the JavaScript thread on one processor, or with nothing lets it run everywhere.
#[napi]
pub fn pin_thread(processor: Option<u32>) -> Result<()> {
    match processor {
        Some(processor) => processor::pin(processor as usize),
        None => processor::unpin(),
    }
    .map_err(system_failure)
}

/// Writes the first byte of each page, with what it holds already.
#[napi]
pub fn touch_pages(memory: JsCapsule<MemoryTable>, pages: JsView<u32>) -> Result<()> {
    let memory = memory.0;
    for index in 0..pages.length() {
        // SAFETY: the index lies in the view.
        let page = u64::from(unsafe { pages.pointer().add(index).read() });
        memory.check_run(page, 1).map_err(capsule_failure)?;
        let byte = memory
            .base()
            .wrapping_add(page as usize * memory.page_size_bytes() as usize);
        // SAFETY: the page was checked to lie in the memory, which the capsule keeps mapped.
        unsafe { byte.write_volatile(byte.read_volatile()) };
    }
    Ok(())
}

/// How many pages of a memory the page tables say are present.
#[napi]
pub fn present_pages(memory: JsCapsule<MemoryTable>) -> Result<f64> {
    pagemap::present_pages(&memory.0)
        .map(|pages| pages as f64)
        .map_err(capsule_failure)
}

/// How many pages were written since they were protected last; protects them again.
#[napi]
pub fn fetch_written_pages(memory: JsCapsule<MemoryTable>) -> Result<f64> {
    pagemap::fetch_written_pages(&memory.0)
        .map(|pages| pages as f64)
        .map_err(capsule_failure)
}

/// A mapping of this process to measure in.
#[napi]
pub struct BenchMemory {
    mapping: Arc<Mapping>,
}

#[napi]
impl BenchMemory {
    /// Reserves memory; nothing is populated. A multiple of 4 KiB.
    #[napi(constructor)]
    pub fn new(length_bytes: f64, huge_pages: bool) -> Result<Self> {
        if !(4096.0..=2_f64.powi(46)).contains(&length_bytes) || length_bytes % 4096.0 != 0.0 {
            return Err(invalid("a memory has whole pages of 4 KiB"));
        }
        let mapping = Mapping::new(length_bytes as usize, huge_pages).map_err(system_failure)?;
        Ok(Self {
            mapping: Arc::new(mapping),
        })
    }

    /// The memory for native code of other packages.
    #[napi(ts_return_type = "unknown")]
    pub fn create_capsule(&self) -> JsCapsule<MemoryTable> {
        JsCapsule(Capsule::<MemoryTable>::export(Shared(self.mapping.clone())))
    }

    /// All of it as bytes, up to 4 GiB; to be asked for once.
    #[napi]
    pub fn bytes(&self) -> Result<Uint8Array> {
        let length_bytes = self.mapping.length_bytes();
        if length_bytes > 1 << 32 {
            return Err(invalid("JavaScript sees at most 4 GiB of a memory"));
        }
        let mapping = self.mapping.clone();
        // SAFETY: the finalizer holds the mapping for as long as JavaScript has the bytes.
        Ok(unsafe { Uint8Array::with_external_data(self.mapping.base(), length_bytes, move |_, _| drop(mapping)) })
    }

    /// Puts memory behind every page; what was written before is overwritten with zero at the beginning of each.
    #[napi]
    pub fn populate(&self) {
        self.mapping.populate();
    }

    /// Gives all memory back; it reads as zero then.
    #[napi]
    pub fn discard(&self) -> Result<()> {
        self.mapping
            .discard(0, self.mapping.length_bytes() as u64 / self.mapping.page_size_bytes())
            .map_err(capsule_failure)
    }

    /// How many bytes have memory behind them.
    #[napi]
    pub fn resident_bytes(&self) -> Result<f64> {
        self.mapping
            .resident_bytes()
            .map(|bytes| bytes as f64)
            .map_err(system_failure)
    }
}

/// A mapping behind a capsule and a JavaScript object at once.
struct Shared(Arc<Mapping>);

// SAFETY: the mapping vouches for itself, and self keeps it alive.
unsafe impl Memory for Shared {
    fn base(&self) -> *mut u8 {
        self.0.base()
    }

    fn length_bytes(&self) -> u64 {
        self.0.length_bytes() as u64
    }

    fn page_size_bytes(&self) -> u64 {
        self.0.page_size_bytes()
    }

    fn pagemap_fd(&self) -> i32 {
        self.0.pagemap_fd()
    }

    fn present(&self, first_page: u64, page_count: u64, bitmap: &mut [u64]) -> std::result::Result<u64, CapsuleError> {
        self.0.present(first_page, page_count, bitmap)
    }

    fn discard(&self, first_page: u64, page_count: u64) -> std::result::Result<(), CapsuleError> {
        self.0.discard(first_page, page_count)
    }
}

/// Offset and length of each thread's part.
fn parts(length_bytes: usize, threads: u32, stride_bytes: usize) -> Result<Vec<(usize, usize)>> {
    let threads = threads as usize;
    if threads == 0 || threads > 64 || !length_bytes.is_multiple_of(threads * stride_bytes) {
        return Err(invalid("the memory does not fall into equal parts of whole strides"));
    }
    let part_bytes = length_bytes / threads;
    Ok((0..threads).map(|index| (index * part_bytes, part_bytes)).collect())
}

/// Works on every part, the first one on the calling thread; whether any work said true.
fn on_threads(parts: &[(usize, usize)], work: impl Fn((usize, usize)) -> bool + Sync) -> bool {
    let work = &work;
    std::thread::scope(|scope| {
        let others: Vec<_> = parts[1..].iter().map(|&part| scope.spawn(move || work(part))).collect();
        let first = work(parts[0]);
        others
            .into_iter()
            .fold(first, |any, other| other.join().unwrap_or(true) || any)
    })
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}

fn unsupported(message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("ERR_GODWIT_UNSUPPORTED: {message}"))
}

fn system_failure(error: std::io::Error) -> Error {
    Error::new(
        Status::GenericFailure,
        format!("ERR_GODWIT_NATIVE_FAILED: a system call failed: {error}"),
    )
}

fn capsule_failure(error: CapsuleError) -> Error {
    match error {
        CapsuleError::Unsupported => unsupported("the memory has no page tables to ask"),
        error => Error::new(Status::GenericFailure, format!("ERR_GODWIT_NATIVE_FAILED: {error}")),
    }
}
