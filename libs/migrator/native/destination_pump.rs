use std::sync::Arc;

use godwit_ports::{Capsule, CapsuleError, CodecTable, CodedPage, ExecutionTable, MemoryTable, SliceMut};

use crate::clock::{monotonic_ns, process_cpu_us};
use crate::delta_table;
use crate::frame::{FrameHeader, FrameType, u64_at};
use crate::injected_fault::StalePage;
use crate::link::Link;
use crate::page_hashes::{PageHashes, hash_page};
use crate::page_runs::{self, Run};
use crate::pump_error::PumpError;
use crate::source_pump::BATCH_PAGES;
use crate::start_gate::StartGate;

/// The parts that a destination composes.
pub struct DestinationParts {
    pub memory: Capsule<MemoryTable>,
    pub execution: Capsule<ExecutionTable>,
    pub decoder: Option<Capsule<CodecTable>>,
    pub link: Link,
    pub gate: Arc<StartGate>,
    /// The epoch of this visit, as HELLO announced it: no other can start here.
    pub epoch: u64,
    /// Keep a hash of each page as it was last installed.
    pub verify: bool,
    pub stale: Option<StalePage>,
}

/// What arrived until the guest started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival {
    pub epoch: u64,
    pub started_at_ns: u64,
    pub raw_pages: u64,
    pub zero_pages: u64,
    pub delta_pages: u64,
    pub bytes_received: u64,
}

/// Receives pages straight into guest memory, then the execution state, then starts the guest.
pub struct DestinationPump {
    pub(crate) parts: DestinationParts,
    pub(crate) hashes: Option<PageHashes>,
    pub(crate) zero_page_hash: u64,
    page_size_bytes: usize,
    body: Vec<u8>,
    runs: Vec<Run>,
    coded: Vec<CodedPage>,
    cpu_us_before: u64,
}

impl DestinationPump {
    pub fn new(parts: DestinationParts) -> Self {
        let page_size_bytes = parts.memory.page_size_bytes() as usize;
        let zero_page = vec![0_u8; page_size_bytes];
        // SAFETY: the buffer is a page long.
        let zero_page_hash = unsafe { hash_page(zero_page.as_ptr(), page_size_bytes) };
        let hashes = parts.verify.then(|| PageHashes::new(parts.memory.page_count()));
        Self {
            parts,
            hashes,
            zero_page_hash,
            page_size_bytes,
            body: Vec::new(),
            runs: Vec::new(),
            coded: Vec::new(),
            cpu_us_before: process_cpu_us(),
        }
    }

    /// Until the guest runs here, or something fails; then it will never run here, and the source is told why.
    pub fn run(&mut self) -> Result<Arrival, PumpError> {
        let arrived = self.receive_all();
        if let Err(error) = &arrived {
            self.parts.gate.renounce(self.parts.epoch);
            if error.code != "ERR_GODWIT_PEER_FAILED" {
                let reason = error.to_string();
                let reason = &reason.as_bytes()[..reason.len().min(1024)];
                // The source may be gone; then nobody is left to be told.
                let _ = self.parts.link.send(FrameType::Failed, reason, &[]);
            }
        }
        arrived
    }

    fn receive_all(&mut self) -> Result<Arrival, PumpError> {
        let mut arrival = Arrival::default();
        let mut ready = false;
        loop {
            let mut body = std::mem::take(&mut self.body);
            let header = self.parts.link.receive(&mut body).map_err(broken)?;
            let handled = self.handle(header, &body, &mut arrival, &mut ready);
            self.body = body;
            if handled? {
                arrival.bytes_received = self.parts.link.counters().bytes_received;
                return Ok(arrival);
            }
        }
    }

    /// True when the guest runs.
    fn handle(
        &mut self,
        header: FrameHeader,
        body: &[u8],
        arrival: &mut Arrival,
        ready: &mut bool,
    ) -> Result<bool, PumpError> {
        match header.kind {
            FrameType::Pages if !*ready => arrival.raw_pages += self.install_pages(header, body)?,
            FrameType::Zero if !*ready => arrival.zero_pages += self.install_zeroes(body)?,
            FrameType::Delta if !*ready => arrival.delta_pages += self.install_deltas(body)?,
            FrameType::Sync if body.len() == 4 => {
                self.parts.link.send(FrameType::Synced, body, &[]).map_err(broken)?;
            }
            FrameType::State if !*ready && self.names_epoch(body) => {
                let state = &body[8..];
                self.parts.execution.load(state).map_err(|error| {
                    PumpError::local(error, &format!("loading {} bytes of execution state", state.len()))
                })?;
                *ready = true;
                self.parts
                    .link
                    .send(FrameType::Ready, &body[..8], &[])
                    .map_err(broken)?;
            }
            FrameType::Commit if *ready && body.len() == 8 && self.names_epoch(body) => {
                self.start(self.parts.epoch, arrival)?;
                return Ok(true);
            }
            FrameType::Failed => return Err(PumpError::from_peer(body)),
            kind => {
                return Err(PumpError::protocol(format!(
                    "the source sent {kind:?} of {} bytes out of turn",
                    body.len()
                )));
            }
        }
        Ok(false)
    }

    fn names_epoch(&self, body: &[u8]) -> bool {
        body.len() >= 8 && u64_at(body, 0) == self.parts.epoch
    }

    fn start(&mut self, epoch: u64, arrival: &mut Arrival) -> Result<(), PumpError> {
        let execution = &self.parts.execution;
        let let_go = || {
            let resumed = execution.resume();
            resumed.map_err(|error| PumpError::local(error, "starting the guest after COMMIT"))?;
            Ok(monotonic_ns())
        };
        let Some(started_at_ns) = self.parts.gate.start(epoch, let_go)? else {
            return Err(PumpError::protocol("COMMIT for an epoch that was renounced"));
        };
        arrival.epoch = epoch;
        arrival.started_at_ns = started_at_ns;
        // Both only tell others; the guest runs, so neither's failure may end it.
        let _ = self.parts.execution.announce();
        let mut body = [0; 24];
        body[..8].copy_from_slice(&epoch.to_le_bytes());
        body[8..16].copy_from_slice(&arrival.started_at_ns.to_le_bytes());
        body[16..].copy_from_slice(&(process_cpu_us() - self.cpu_us_before).to_le_bytes());
        let _ = self.parts.link.send(FrameType::Running, &body, &[]);
        Ok(())
    }

    fn page_at(&self, page: u64) -> *mut u8 {
        self.parts
            .memory
            .base()
            .wrapping_add(page as usize * self.page_size_bytes)
    }

    fn decode_runs(&mut self, body: &[u8]) -> Result<u64, PumpError> {
        page_runs::decode(body, self.parts.memory.page_count(), &mut self.runs)
            .map_err(|error| PumpError::link(error, "a list of pages from the source"))?;
        Ok(self.runs.iter().map(|run| run.page_count).sum())
    }

    fn install_pages(&mut self, header: FrameHeader, body: &[u8]) -> Result<u64, PumpError> {
        let page_count = self.decode_runs(body)?;
        if page_count.checked_mul(self.page_size_bytes as u64) != Some(header.raw_bytes as u64) {
            return Err(PumpError::protocol("PAGES whose length is not that of its pages"));
        }
        for run in &self.runs {
            if run.page_count >= BATCH_PAGES as u64 {
                // Only a hint: a destination that cannot use it installs the pages all the same.
                let _ = self.parts.memory.expect(run.first_page, run.page_count);
            }
        }
        let kept = self.keep_stale_page();
        let slices: Vec<SliceMut<'_>> = self
            .runs
            .iter()
            .map(|run| {
                let length_bytes = run.page_count as usize * self.page_size_bytes;
                // SAFETY: the run was checked to lie inside the memory, which stays mapped while its capsule is
                // retained; the guest does not run, and no run of the frame is written by anybody else.
                unsafe { SliceMut::from_raw(self.page_at(run.first_page), length_bytes) }
            })
            .collect();
        self.parts.link.receive_raw(&slices).map_err(broken)?;
        if let Some((page, old)) = kept {
            // SAFETY: a checked page of the memory; the copy is a page long.
            unsafe { std::ptr::copy_nonoverlapping(old.as_ptr(), self.page_at(page), self.page_size_bytes) };
        }
        self.hash_runs(|_| true);
        Ok(page_count)
    }

    fn install_zeroes(&mut self, body: &[u8]) -> Result<u64, PumpError> {
        let page_count = self.decode_runs(body)?;
        let kept = self.keep_stale_page();
        for run in &self.runs {
            self.parts
                .memory
                .discard(run.first_page, run.page_count)
                .map_err(|error| PumpError::local(error, "installing zero pages"))?;
        }
        if let Some((page, old)) = kept {
            // SAFETY: a checked page of the memory; the copy is a page long.
            unsafe { std::ptr::copy_nonoverlapping(old.as_ptr(), self.page_at(page), self.page_size_bytes) };
        }
        self.hash_runs(|hash_before| hash_before != 0);
        Ok(page_count)
    }

    fn install_deltas(&mut self, body: &[u8]) -> Result<u64, PumpError> {
        let Some(decoder) = &self.parts.decoder else {
            return Err(PumpError::protocol("DELTA where no codec was agreed on"));
        };
        let malformed = |error| PumpError::link(error, "a batch of deltas from the source");
        delta_table::decode(
            body,
            self.parts.memory.page_count(),
            self.page_size_bytes,
            &mut self.coded,
        )
        .map_err(malformed)?;
        self.runs.clear();
        for coded in &self.coded {
            self.runs.push(Run {
                first_page: coded.page,
                page_count: 1,
            });
        }
        let kept = keep_stale_page(
            self.parts.stale.as_mut(),
            self.hashes.as_ref(),
            &self.runs,
            self.parts.memory.base(),
            self.page_size_bytes,
        );
        // SAFETY: every page was checked to lie inside the memory, which stays mapped while its capsule is retained;
        // the guest does not run, so nobody else writes them.
        unsafe { decoder.decode(self.parts.memory.base(), &self.coded, body) }.map_err(|error| match error {
            CapsuleError::Malformed => PumpError::new("ERR_GODWIT_DELTA_MALFORMED", "a damaged delta from the source"),
            other => malformed(other),
        })?;
        if let Some((page, old)) = kept {
            // SAFETY: a checked page of the memory; the copy is a page long.
            unsafe { std::ptr::copy_nonoverlapping(old.as_ptr(), self.page_at(page), self.page_size_bytes) };
        }
        self.hash_runs(|_| true);
        Ok(self.coded.len() as u64)
    }

    /// Hashes what memory holds now, not what was received: only that notices an installation that went wrong. `wanted`
    /// tells by the hash of before: a page that was zero and is told to be zero was not touched, and is not read either.
    fn hash_runs(&mut self, wanted: impl Fn(u64) -> bool) {
        let Some(hashes) = &mut self.hashes else { return };
        let pages = self
            .runs
            .iter()
            .flat_map(|run| run.first_page..run.first_page + run.page_count);
        for page in pages.filter(|&page| wanted(hashes.get(page))).collect::<Vec<_>>() {
            let bytes = self
                .parts
                .memory
                .base()
                .wrapping_add(page as usize * self.page_size_bytes);
            // SAFETY: a checked page of the memory; the guest does not run yet.
            let hash = unsafe { hash_page(bytes, self.page_size_bytes) };
            hashes.set(page, if hash == self.zero_page_hash { 0 } else { hash });
        }
    }

    /// With the injected fault: a copy of the page that shall stay old, if `self.runs` names it.
    fn keep_stale_page(&mut self) -> Option<(u64, Box<[u8]>)> {
        keep_stale_page(
            self.parts.stale.as_mut(),
            self.hashes.as_ref(),
            &self.runs,
            self.parts.memory.base(),
            self.page_size_bytes,
        )
    }
}

fn keep_stale_page(
    stale: Option<&mut StalePage>,
    hashes: Option<&PageHashes>,
    runs: &[Run],
    base: *const u8,
    page_size_bytes: usize,
) -> Option<(u64, Box<[u8]>)> {
    let (stale, hashes) = (stale?, hashes?);
    let mut pages = runs
        .iter()
        .flat_map(|run| run.first_page..run.first_page + run.page_count);
    let page = pages.find(|&page| stale.keeps(page, hashes.get(page) != 0))?;
    let mut old = vec![0; page_size_bytes].into_boxed_slice();
    // SAFETY: the caller checked the runs against the memory at `base`; the copy is a page long.
    unsafe {
        let bytes = base.add(page as usize * page_size_bytes);
        std::ptr::copy_nonoverlapping(bytes, old.as_mut_ptr(), page_size_bytes);
    }
    Some((page, old))
}

fn broken(error: CapsuleError) -> PumpError {
    PumpError::link(error, "the connection to the source")
}
