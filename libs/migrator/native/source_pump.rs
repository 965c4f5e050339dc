use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use godwit_ports::{
    Capsule, CapsuleError, CodecTable, Coded, CodedPage, DirtyTable, ExecutionTable, MemoryTable, ScannerTable, Slice,
};

use crate::cancellation::Cancellation;
use crate::clock::monotonic_ns;
use crate::delta_table;
use crate::frame::{FrameType, HEADER_BYTES, RAW_BYTES_MAX};
use crate::injected_fault::{ForgottenPages, TornPage};
use crate::link::Link;
use crate::page_runs::{self, Run};
use crate::pump_error::PumpError;

/// Pages handled together: 2 MiB of 4 KiB pages, so that a huge page travels in one frame.
pub const BATCH_PAGES: usize = 512;

/// Pages and bytes, counted while they are sent. Read by JavaScript at any time.
#[derive(Default)]
pub struct Tally {
    pub zero_pages: AtomicU64,
    pub raw_pages: AtomicU64,
    pub delta_pages: AtomicU64,
    pub unchanged_pages: AtomicU64,
    pub delta_bytes: AtomicU64,
    /// Of ZERO frames.
    pub zero_bytes: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// The parts that a source composes.
pub struct SourceParts {
    pub memory: Capsule<MemoryTable>,
    pub execution: Capsule<ExecutionTable>,
    pub dirty: Option<Capsule<DirtyTable>>,
    pub scanner: Capsule<ScannerTable>,
    pub encoder: Option<Capsule<CodecTable>>,
    pub link: Link,
    /// Both sides read the same CLOCK_MONOTONIC.
    pub same_clock: bool,
    pub forgotten: Option<ForgottenPages>,
    pub torn: Option<TornPage>,
}

/// Sends pages straight from guest memory, and later the guest itself (see `switchover.rs`).
pub struct SourcePump {
    pub(crate) parts: SourceParts,
    pub(crate) cancellation: Arc<Cancellation>,
    pub(crate) tally: Arc<Tally>,
    page_size_bytes: usize,
    /// `BATCH_PAGES`, or as many as a frame holds.
    batch_pages: usize,
    pages: Vec<u64>,
    zero_flags: Vec<u8>,
    encoded: Vec<u8>,
    coded: Vec<CodedPage>,
    zero_runs: Vec<Run>,
    encoder_used: bool,
    pub(crate) body: Vec<u8>,
    next_sync: u32,
}

impl SourcePump {
    pub fn new(parts: SourceParts, cancellation: Arc<Cancellation>, tally: Arc<Tally>) -> Self {
        let page_size_bytes = parts.memory.page_size_bytes() as usize;
        let encoded_bytes = if parts.encoder.is_some() {
            BATCH_PAGES * page_size_bytes
        } else {
            0
        };
        Self {
            parts,
            cancellation,
            tally,
            page_size_bytes,
            batch_pages: BATCH_PAGES.min(RAW_BYTES_MAX / page_size_bytes).max(1),
            pages: Vec::with_capacity(BATCH_PAGES),
            zero_flags: vec![0; BATCH_PAGES],
            encoded: vec![0; encoded_bytes],
            coded: vec![CodedPage::default(); BATCH_PAGES],
            zero_runs: Vec::new(),
            encoder_used: false,
            body: Vec::new(),
            next_sync: 0,
        }
    }

    pub fn page_count(&self) -> u64 {
        self.parts.memory.page_count()
    }

    fn bitmap_words(&self) -> usize {
        self.page_count().div_ceil(64) as usize
    }

    /// A bitmap of the populated pages.
    pub fn present(&mut self) -> Result<Vec<u64>, PumpError> {
        let mut bitmap = vec![0; self.bitmap_words()];
        self.parts
            .memory
            .present(0, self.page_count(), &mut bitmap)
            .map_err(|error| PumpError::local(error, "listing the populated pages"))?;
        Ok(bitmap)
    }

    pub fn track_writes(&mut self) -> Result<(), PumpError> {
        self.tracker()?
            .start()
            .map_err(|error| PumpError::local(error, "starting the dirty tracker"))
    }

    /// Stops recording writes; for after the blackout, or after a failure.
    pub fn stop_tracking(&mut self) -> Result<(), PumpError> {
        match &self.parts.dirty {
            Some(dirty) => dirty
                .stop()
                .map_err(|error| PumpError::local(error, "stopping the dirty tracker")),
            None => Ok(()),
        }
    }

    /// A bitmap of the pages written since tracking began or since the last call.
    pub fn collect(&mut self) -> Result<Vec<u64>, PumpError> {
        let mut bitmap = vec![0; self.bitmap_words()];
        self.tracker()?
            .collect(&mut bitmap)
            .map_err(|error| PumpError::local(error, "collecting the dirty pages"))?;
        if let Some(forgotten) = &mut self.parts.forgotten {
            forgotten.take_from(&mut bitmap);
        }
        Ok(bitmap)
    }

    fn tracker(&self) -> Result<&Capsule<DirtyTable>, PumpError> {
        self.parts
            .dirty
            .as_ref()
            .ok_or_else(|| PumpError::new("ERR_GODWIT_UNSUPPORTED", "this guest has no dirty tracker"))
    }

    /// Sends pages in order and waits until the destination has installed them.
    pub fn send(&mut self, runs: &[Run], encode: bool) -> Result<(), PumpError> {
        self.send_runs(runs, encode, false)?;
        self.sync()
    }

    /// Sends pages in order. `last`: the guest is paused, so this is how they stay.
    pub(crate) fn send_runs(&mut self, runs: &[Run], encode: bool, last: bool) -> Result<(), PumpError> {
        for run in runs {
            self.parts
                .memory
                .check_run(run.first_page, run.page_count)
                .map_err(|error| PumpError::local(error, "sending pages"))?;
        }
        let encode = encode && self.parts.encoder.is_some();
        for run in runs {
            let (mut page, end) = (run.first_page, run.first_page + run.page_count);
            while page < end {
                self.pages.push(page);
                page += 1;
                // A batch ends where a block of BATCH_PAGES ends, so that whole blocks stay whole.
                if self.pages.len() == self.batch_pages || (page % BATCH_PAGES as u64 == 0 && self.pages.len() > 64) {
                    self.send_batch(encode, last)?;
                }
            }
        }
        self.send_batch(encode, last)?;
        self.flush_zero_runs()
    }

    fn send_batch(&mut self, encode: bool, last: bool) -> Result<(), PumpError> {
        if self.pages.is_empty() {
            return Ok(());
        }
        self.cancellation.check()?;
        self.take_out_zero_pages()?;
        if let (Some(torn), false) = (&mut self.parts.torn, last) {
            torn.remember(&self.parts.memory, &self.pages);
        }
        let sent = if encode {
            self.send_encoded()
        } else {
            self.send_raw(last)
        };
        self.pages.clear();
        sent
    }

    /// Leaves in `self.pages` those that are not zero.
    fn take_out_zero_pages(&mut self) -> Result<(), PumpError> {
        let flags = &mut self.zero_flags[..self.pages.len()];
        // SAFETY: send_runs checked every page against the memory, which stays mapped while its capsule is retained.
        let zero_count = unsafe {
            self.parts
                .scanner
                .scan(self.parts.memory.base(), self.page_size_bytes, &self.pages, flags)
        }
        .map_err(|error| PumpError::local(error, "looking for zero pages"))?;
        if zero_count == 0 {
            return Ok(());
        }
        let mut zero_pages = Vec::with_capacity(zero_count as usize);
        for (&page, &zero) in self.pages.iter().zip(flags.iter()) {
            if zero == 1 {
                page_runs::push_page(&mut self.zero_runs, page);
                zero_pages.push(page);
            }
        }
        let mut flags = flags.iter();
        self.pages.retain(|_| flags.next() == Some(&0));
        Tally::add(&self.tally.zero_pages, zero_pages.len());
        self.forget(&zero_pages)?;
        if self.zero_runs.len() >= 4096 {
            self.flush_zero_runs()
        } else {
            Ok(())
        }
    }

    /// The encoder no longer knows what the peer has of these pages.
    fn forget(&self, pages: &[u64]) -> Result<(), PumpError> {
        match &self.parts.encoder {
            Some(encoder) if self.encoder_used && !pages.is_empty() => encoder
                .forget(pages)
                .map_err(|error| PumpError::local(error, "encoding pages")),
            _ => Ok(()),
        }
    }

    fn flush_zero_runs(&mut self) -> Result<(), PumpError> {
        if self.zero_runs.is_empty() {
            return Ok(());
        }
        page_runs::encode(&self.zero_runs, &mut self.body);
        self.zero_runs.clear();
        Tally::add(&self.tally.zero_bytes, HEADER_BYTES + self.body.len());
        self.parts
            .link
            .send(FrameType::Zero, &self.body, &[])
            .map_err(|error| self.broken(error))
    }

    fn send_raw(&mut self, last: bool) -> Result<(), PumpError> {
        if self.pages.is_empty() {
            return Ok(());
        }
        self.forget(&self.pages)?;
        let base = self.parts.memory.base();
        let (mut runs, mut slices): (Vec<Run>, Vec<Slice<'_>>) = (Vec::new(), Vec::new());
        for &page in &self.pages {
            page_runs::push_page(&mut runs, page);
        }
        match &mut self.parts.torn {
            Some(torn) if last => {
                for &page in &self.pages {
                    let bytes = torn
                        .tear(&self.parts.memory, page)
                        .unwrap_or_else(|| base.wrapping_add(page as usize * self.page_size_bytes));
                    // SAFETY: a checked page of the memory, or the torn copy, which lives as long as the pump.
                    slices.push(unsafe { Slice::from_raw(bytes, self.page_size_bytes) });
                }
            }
            _ => {
                for run in &runs {
                    let first_byte = base.wrapping_add(run.first_page as usize * self.page_size_bytes);
                    // SAFETY: send_runs checked the run against the memory.
                    slices.push(unsafe { Slice::from_raw(first_byte, run.page_count as usize * self.page_size_bytes) });
                }
            }
        }
        page_runs::encode(&runs, &mut self.body);
        Tally::add(&self.tally.raw_pages, self.pages.len());
        self.parts
            .link
            .send(FrameType::Pages, &self.body, &slices)
            .map_err(|error| self.broken(error))
    }

    fn send_encoded(&mut self) -> Result<(), PumpError> {
        let Some(encoder) = &self.parts.encoder else {
            return Ok(());
        };
        if self.pages.is_empty() {
            return Ok(());
        }
        self.encoder_used = true;
        let coded = &mut self.coded[..self.pages.len()];
        // SAFETY: send_runs checked every page against the memory, which stays mapped while its capsule is retained.
        unsafe { encoder.encode(self.parts.memory.base(), &self.pages, &mut self.encoded, coded) }
            .map_err(|error| PumpError::local(error, "encoding pages"))?;
        let mut raw_runs = Vec::new();
        let mut raw_slices = Vec::new();
        let mut deltas: Vec<&CodedPage> = Vec::new();
        let mut delta_bytes = 0;
        for page in coded.iter() {
            let bytes = page
                .bytes(&self.encoded)
                .ok_or_else(|| PumpError::local(CapsuleError::Malformed, "the encoder's answer"))?;
            match page.outcome() {
                Some(Coded::Unchanged) => Tally::add(&self.tally.unchanged_pages, 1),
                Some(Coded::Delta) => {
                    delta_bytes += bytes.len();
                    deltas.push(page);
                }
                Some(Coded::Raw) if bytes.len() == self.page_size_bytes => {
                    page_runs::push_page(&mut raw_runs, page.page);
                    raw_slices.push(Slice::new(bytes));
                }
                _ => return Err(PumpError::local(CapsuleError::Malformed, "the encoder's answer")),
            }
        }
        if !raw_slices.is_empty() {
            Tally::add(&self.tally.raw_pages, raw_slices.len());
            page_runs::encode(&raw_runs, &mut self.body);
            self.parts
                .link
                .send(FrameType::Pages, &self.body, &raw_slices)
                .map_err(broken)?;
        }
        if !deltas.is_empty() {
            Tally::add(&self.tally.delta_pages, deltas.len());
            Tally::add(&self.tally.delta_bytes, delta_bytes);
            for deltas in delta_table::frames(&deltas) {
                delta_table::encode(deltas, &self.encoded, &mut self.body);
                self.parts
                    .link
                    .send(FrameType::Delta, &self.body, &[])
                    .map_err(broken)?;
            }
        }
        Ok(())
    }

    /// Waits until the destination has installed all that was sent.
    fn sync(&mut self) -> Result<(), PumpError> {
        let number = self.next_sync;
        self.next_sync = self.next_sync.wrapping_add(1);
        self.parts
            .link
            .send(FrameType::Sync, &number.to_le_bytes(), &[])
            .map_err(broken)?;
        self.expect_reply(FrameType::Synced, &number.to_le_bytes())
    }

    /// The next frame must be of this type and its body begin with `prefix`; its body stays in `self.body`.
    pub(crate) fn expect_reply(&mut self, kind: FrameType, prefix: &[u8]) -> Result<(), PumpError> {
        let header = self
            .parts
            .link
            .receive(&mut self.body)
            .map_err(|error| self.broken(error))?;
        match header.kind {
            seen if seen == kind && self.body.starts_with(prefix) => Ok(()),
            FrameType::Failed => Err(PumpError::from_peer(&self.body)),
            seen => Err(PumpError::protocol(format!(
                "the destination sent {seen:?} where {kind:?} was due"
            ))),
        }
    }

    /// A failure of the connection; one that a cancellation caused is that.
    pub(crate) fn broken(&self, error: CapsuleError) -> PumpError {
        self.cancellation.check().err().unwrap_or_else(|| broken(error))
    }

    pub(crate) fn now_ns(&self) -> u64 {
        monotonic_ns()
    }
}

fn broken(error: CapsuleError) -> PumpError {
    PumpError::link(error, "the connection to the destination")
}
