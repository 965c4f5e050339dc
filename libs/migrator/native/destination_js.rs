use std::sync::{Arc, Mutex};

use godwit_ports::{Capsule, ChannelTable, CodecTable, ExecutionTable, JsCapsule, MemoryTable};
use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;

use crate::destination_pump::{DestinationParts, DestinationPump};
use crate::injected_fault::StalePage;
use crate::link::Link;
use crate::promise::on_thread;
use crate::pump_error::PumpError;
use crate::source_js::{VerificationOutcome, lock};
use crate::start_gate::{Fate, StartGate};

/// The capsules of the parts, and what the handshake settled.
#[napi(object, object_to_js = false)]
pub struct DestinationPumpOptions {
    pub memory: JsCapsule<MemoryTable>,
    pub execution: JsCapsule<ExecutionTable>,
    pub decoder: Option<JsCapsule<CodecTable>>,
    pub channel: JsCapsule<ChannelTable>,
    pub frames_sent: u32,
    pub frames_received: u32,
    pub timeout_ms: u32,
    pub verify: bool,
    /// As HELLO announced it.
    pub epoch: u32,
    /// Names the session in the journal.
    pub session: String,
    /// A file to which each decision is written before it takes effect.
    pub journal_path: Option<String>,
    /// Injected fault: keep an old page.
    pub keep_stale_page: Option<bool>,
}

/// What arrived until the guest started.
#[napi(object)]
pub struct ArrivalOutcome {
    pub epoch: f64,
    pub started_at_ns: f64,
    pub raw_pages: f64,
    pub zero_pages: f64,
    pub delta_pages: f64,
    pub bytes_received: f64,
}

/// Whether an epoch was started here; if not, it was renounced.
#[napi(object)]
pub struct EpochFate {
    pub started: bool,
    /// On CLOCK_MONOTONIC; 0 if it was not started, or is just about to be.
    pub started_at_ns: f64,
}

/// The receiver's half of a migration. Calls run one after the other, each on a thread of its own; `renounce` and
/// `interrupt` may come at any time.
#[napi]
pub struct NativeDestinationPump {
    /// Until it is closed: it holds on to the guest, its memory and its descriptors.
    pump: Arc<Mutex<Option<DestinationPump>>>,
    gate: Arc<StartGate>,
    channel: Mutex<Capsule<ChannelTable>>,
    timeout_ms: u32,
}

#[napi]
impl NativeDestinationPump {
    #[napi(constructor)]
    pub fn new(options: DestinationPumpOptions) -> Result<Self> {
        let gate = Arc::new(StartGate::new(options.journal_path.as_deref(), &options.session)?);
        let channel = options.channel.0.clone();
        let parts = DestinationParts {
            memory: options.memory.0,
            execution: options.execution.0,
            decoder: options.decoder.map(|decoder| decoder.0),
            link: Link::new(
                options.channel.0,
                options.timeout_ms,
                options.frames_sent,
                options.frames_received,
            ),
            gate: gate.clone(),
            epoch: u64::from(options.epoch),
            verify: options.verify,
            stale: options.keep_stale_page.unwrap_or(false).then(StalePage::default),
        };
        Ok(Self {
            pump: Arc::new(Mutex::new(Some(DestinationPump::new(parts)))),
            gate,
            channel: Mutex::new(channel),
            timeout_ms: options.timeout_ms,
        })
    }

    /// Resolves when the guest runs here; rejects when it never will.
    #[napi(ts_return_type = "Promise<ArrivalOutcome>")]
    pub fn run<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let pump = self.pump.clone();
        on_thread(env, "godwit-dest", move || {
            let mut pump = lock(&pump);
            let pump = pump.as_mut().ok_or_else(PumpError::closed)?;
            pump.run().map(|arrival| ArrivalOutcome {
                epoch: arrival.epoch as f64,
                started_at_ns: arrival.started_at_ns as f64,
                raw_pages: arrival.raw_pages as f64,
                zero_pages: arrival.zero_pages as f64,
                delta_pages: arrival.delta_pages as f64,
                bytes_received: arrival.bytes_received as f64,
            })
        })
    }

    /// Takes what the source still sends after the guest has started: late frames, and its digest, if one was agreed on.
    #[napi(ts_return_type = "Promise<VerificationOutcome | null>")]
    pub fn finish<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let pump = self.pump.clone();
        on_thread(env, "godwit-verify", move || {
            let mut pump = lock(&pump);
            let pump = pump.as_mut().ok_or_else(PumpError::closed)?;
            pump.finish()
                .map(|verification| verification.map(VerificationOutcome::from))
        })
    }

    /// Answers a QUERY: whether the guest of this epoch was started here, and when; otherwise it never will be.
    #[napi]
    pub fn renounce(&self, epoch: u32) -> Result<EpochFate> {
        let started = self.gate.renounce(u64::from(epoch)) == Fate::Started;
        Ok(EpochFate {
            started,
            started_at_ns: self.gate.started_at_ns() as f64,
        })
    }

    /// Goes on over another connection, on which this many frames have passed already.
    #[napi]
    pub fn relink(&self, channel: JsCapsule<ChannelTable>, frames_sent: u32, frames_received: u32) {
        *lock(&self.channel) = channel.0.clone();
        if let Some(pump) = lock(&self.pump).as_mut() {
            pump.parts.link = Link::new(channel.0, self.timeout_ms, frames_sent, frames_received);
        }
    }

    /// Lets go of all parts; after `run` has rejected or `finish` has settled for the last time.
    #[napi]
    pub fn close(&self) {
        lock(&self.pump).take();
    }

    /// Ends what waits for the source.
    #[napi]
    pub fn interrupt(&self) {
        lock(&self.channel).interrupt();
    }
}
