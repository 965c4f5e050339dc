use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use godwit_ports::{ChannelTable, CodecTable, DirtyTable, ExecutionTable, JsCapsule, MemoryTable, ScannerTable};
use napi::bindgen_prelude::{Object, Uint32Array};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::approach::ApproachTurn;
use crate::cancellation::Cancellation;
use crate::digest::Verification;
use crate::injected_fault::{ForgottenPages, TornPage};
use crate::link::Link;
use crate::page_runs::Run;
use crate::promise::on_thread;
use crate::pump_error::PumpError;
use crate::source_pump::{SourceParts, SourcePump, Tally};
use crate::switchover::SwitchoverFailure;

/// The capsules of the parts, and what the handshake settled.
#[napi(object, object_to_js = false)]
pub struct SourcePumpOptions {
    pub memory: JsCapsule<MemoryTable>,
    pub execution: JsCapsule<ExecutionTable>,
    pub dirty: Option<JsCapsule<DirtyTable>>,
    pub scanner: JsCapsule<ScannerTable>,
    pub encoder: Option<JsCapsule<CodecTable>>,
    pub channel: JsCapsule<ChannelTable>,
    pub frames_sent: u32,
    pub frames_received: u32,
    pub timeout_ms: u32,
    pub same_clock: bool,
    /// Injected fault: forget one dirty page in so many.
    pub forget_one_in: Option<u32>,
    /// Injected fault: send half of an old page.
    pub tear_page: Option<bool>,
}

/// Counters since the pump was made.
#[napi(object)]
pub struct SourceCounters {
    pub zero_pages: f64,
    pub raw_pages: f64,
    pub delta_pages: f64,
    pub unchanged_pages: f64,
    pub delta_bytes: f64,
    pub zero_bytes: f64,
    pub wire_bytes: f64,
}

/// Nanoseconds and counts of a switchover; `outcome` is `running`, `resumed` or `in-doubt`, and `error` says why it is
/// not `running`.
#[napi(object)]
pub struct SwitchoverOutcome {
    pub outcome: String,
    pub error: Option<String>,
    pub blackout_ns: f64,
    pub pause_ns: f64,
    pub collect_ns: f64,
    pub send_ns: f64,
    pub state_ns: f64,
    pub start_ns: f64,
    pub wire_bytes: f64,
    pub state_bytes: f64,
    pub pages: f64,
    pub destination_cpu_us: f64,
    /// On this machine's CLOCK_MONOTONIC.
    pub paused_at_ns: f64,
    pub committed_at_ns: f64,
    /// What was sent just before the stop.
    pub approach: Vec<ApproachTurnOutcome>,
}

/// One turn of the approach.
#[napi(object)]
pub struct ApproachTurnOutcome {
    pub pages: f64,
    pub bytes: f64,
    pub ns: f64,
}

/// What came of the arrival digest.
#[napi(object)]
pub struct VerificationOutcome {
    pub compared_pages: f64,
    pub mismatched_pages: f64,
    pub named_pages: Vec<f64>,
}

impl From<&ApproachTurn> for ApproachTurnOutcome {
    fn from(turn: &ApproachTurn) -> Self {
        Self {
            pages: turn.pages as f64,
            bytes: turn.bytes as f64,
            ns: turn.ns as f64,
        }
    }
}

impl From<Verification> for VerificationOutcome {
    fn from(verification: Verification) -> Self {
        Self {
            compared_pages: verification.compared_pages as f64,
            mismatched_pages: verification.mismatched_pages as f64,
            named_pages: verification.named_pages.iter().map(|&page| page as f64).collect(),
        }
    }
}

/// The sender's half of a migration. Calls run one after the other, each on a thread of its own.
#[napi]
pub struct NativeSourcePump {
    /// Until it is closed: it holds on to the guest, its memory and its descriptors.
    pump: Arc<Mutex<Option<SourcePump>>>,
    cancellation: Arc<Cancellation>,
    tally: Arc<Tally>,
    channel: Mutex<JsCapsule<ChannelTable>>,
    /// Over connections that were left for another.
    bytes_sent_before: AtomicU64,
    timeout_ms: u32,
}

#[napi]
impl NativeSourcePump {
    #[napi(constructor)]
    pub fn new(options: SourcePumpOptions) -> Result<Self> {
        let page_size_bytes = options.memory.0.page_size_bytes() as usize;
        if !page_size_bytes.is_power_of_two() || options.memory.0.page_count() > u64::from(u32::MAX) {
            return Err(Error::from_reason(
                "ERR_GODWIT_MEMORY_SIZE: the memory has a page size or a length beyond this protocol",
            ));
        }
        let channel = options.channel.0.clone();
        let parts = SourceParts {
            memory: options.memory.0,
            execution: options.execution.0,
            dirty: options.dirty.map(|dirty| dirty.0),
            scanner: options.scanner.0,
            encoder: options.encoder.map(|encoder| encoder.0),
            link: Link::new(
                options.channel.0,
                options.timeout_ms,
                options.frames_sent,
                options.frames_received,
            ),
            same_clock: options.same_clock,
            forgotten: options
                .forget_one_in
                .map(|one_in| ForgottenPages::new(u64::from(one_in))),
            torn: options
                .tear_page
                .unwrap_or(false)
                .then(|| TornPage::new(page_size_bytes)),
        };
        let (cancellation, tally) = (Arc::new(Cancellation::default()), Arc::new(Tally::default()));
        let pump = SourcePump::new(parts, cancellation.clone(), tally.clone());
        Ok(Self {
            pump: Arc::new(Mutex::new(Some(pump))),
            cancellation,
            tally,
            channel: Mutex::new(JsCapsule(channel)),
            bytes_sent_before: AtomicU64::new(0),
            timeout_ms: options.timeout_ms,
        })
    }

    /// Resolves to a bitmap of the populated pages.
    #[napi(ts_return_type = "Promise<Uint32Array>")]
    pub fn present<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.present().map(to_words))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn track_writes<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.track_writes())
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop_tracking<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.stop_tracking())
    }

    /// Resolves to a bitmap of the pages written since tracking began or since the last call.
    #[napi(ts_return_type = "Promise<Uint32Array>")]
    pub fn collect<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.collect().map(to_words))
    }

    /// Sends pages, given as pairs of first page and count, and resolves when the destination has installed them.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn send<'env>(&self, env: &'env Env, runs: Uint32Array, encode: bool) -> Result<Object<'env>> {
        let runs = runs
            .chunks_exact(2)
            .map(|pair| Run {
                first_page: u64::from(pair[0]),
                page_count: u64::from(pair[1]),
            })
            .collect::<Vec<_>>();
        self.on_thread(env, move |pump| pump.send(&runs, encode))
    }

    /// Stops the guest here and starts it there. Never rejects for what the protocol foresees: see `outcome`.
    #[napi(ts_return_type = "Promise<SwitchoverOutcome>")]
    pub fn switchover<'env>(
        &self,
        env: &'env Env,
        pending: Uint32Array,
        encode: bool,
        approach: bool,
        epoch: u32,
    ) -> Result<Object<'env>> {
        let mut pending = from_words(&pending);
        self.on_thread(env, move |pump| {
            let done = pump.switchover(&mut pending, encode, approach, u64::from(epoch));
            let (outcome, error, timing) = match done {
                Ok(timing) => ("running", None, timing),
                Err(SwitchoverFailure::Resumed(error)) => ("resumed", Some(error.to_string()), Default::default()),
                Err(SwitchoverFailure::InDoubt(error, timing)) => ("in-doubt", Some(error.to_string()), *timing),
            };
            Ok(SwitchoverOutcome {
                outcome: outcome.to_owned(),
                error,
                blackout_ns: timing.blackout_ns as f64,
                pause_ns: timing.pause_ns as f64,
                collect_ns: timing.collect_ns as f64,
                send_ns: timing.send_ns as f64,
                state_ns: timing.state_ns as f64,
                start_ns: timing.start_ns as f64,
                wire_bytes: timing.wire_bytes as f64,
                state_bytes: timing.state_bytes as f64,
                pages: timing.pages as f64,
                destination_cpu_us: timing.destination_cpu_us as f64,
                paused_at_ns: timing.paused_at_ns as f64,
                committed_at_ns: timing.committed_at_ns as f64,
                approach: timing.approach.iter().map(ApproachTurnOutcome::from).collect(),
            })
        })
    }

    /// Compares the frozen memory here with what arrived; after the switchover.
    #[napi(ts_return_type = "Promise<VerificationOutcome>")]
    pub fn verify<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.verify().map(VerificationOutcome::from))
    }

    /// Instead of `verify`: tells the destination that nothing follows.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn finish<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.on_thread(env, |pump| pump.finish())
    }

    /// Goes on over another connection, on which this many frames have passed already.
    #[napi]
    pub fn relink(&self, channel: JsCapsule<ChannelTable>, frames_sent: u32, frames_received: u32) {
        let link = Link::new(channel.0.clone(), self.timeout_ms, frames_sent, frames_received);
        let left = std::mem::replace(&mut *lock(&self.channel), channel);
        self.bytes_sent_before
            .fetch_add(left.0.counters().bytes_sent, Ordering::Relaxed);
        if let Some(pump) = lock(&self.pump).as_mut() {
            pump.parts.link = link;
        }
    }

    /// Lets go of all parts; after the last call of all others but `counters`.
    #[napi]
    pub fn close(&self) {
        lock(&self.pump).take();
    }

    /// Takes the migration back if it is not committed yet; false if it is too late.
    #[napi]
    pub fn cancel(&self) -> bool {
        let cancelled = self.cancellation.cancel();
        if cancelled {
            lock(&self.channel).0.interrupt();
        }
        cancelled
    }

    #[napi]
    pub fn counters(&self) -> SourceCounters {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
        SourceCounters {
            zero_pages: count(&self.tally.zero_pages),
            raw_pages: count(&self.tally.raw_pages),
            delta_pages: count(&self.tally.delta_pages),
            unchanged_pages: count(&self.tally.unchanged_pages),
            delta_bytes: count(&self.tally.delta_bytes),
            zero_bytes: count(&self.tally.zero_bytes),
            wire_bytes: (self.bytes_sent_before.load(Ordering::Relaxed) + lock(&self.channel).0.counters().bytes_sent)
                as f64,
        }
    }

    fn on_thread<'env, T, F>(&self, env: &'env Env, work: F) -> Result<Object<'env>>
    where
        T: napi::bindgen_prelude::ToNapiValue + Send + 'static,
        F: FnOnce(&mut SourcePump) -> std::result::Result<T, PumpError> + Send + 'static,
    {
        let pump = self.pump.clone();
        on_thread(env, "godwit-source", move || {
            work(lock(&pump).as_mut().ok_or_else(PumpError::closed)?)
        })
    }
}

/// A pump that panicked is not used again; what it protects stays consistent page by page.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn to_words(bitmap: Vec<u64>) -> Uint32Array {
    Uint32Array::new(
        bitmap
            .iter()
            .flat_map(|&word| [word as u32, (word >> 32) as u32])
            .collect(),
    )
}

fn from_words(words: &[u32]) -> Vec<u64> {
    words
        .chunks_exact(2)
        .map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32)
        .collect()
}
