//! What JavaScript says about a guest to be made. TypeScript has checked the shapes; values are checked here.

use std::time::Duration;

use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::content::Content;
use godwit_guest_programs::plan::Wanted;
use godwit_guest_programs::{Plan, Workload};
use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::blueprint::Blueprint;

/// A guest, in JavaScript's types.
#[napi(object)]
pub struct NativeOptions {
    pub memory_bytes: f64,
    pub vcpu_count: u32,
    /// `idle`, `l2fwd` or `appmembench`.
    pub workload: String,
    pub beat_microseconds: f64,
    pub working_set_bytes: f64,
    pub pages_per_second: f64,
    pub whole_pages: bool,
    /// `sweep`, `random` or `zipf`.
    pub pattern: String,
    pub resident_bytes: f64,
    /// `zero`, `text`, `code`, `random` or `mixed`.
    pub content: String,
    pub seed: f64,
    /// Two hardware addresses, six numbers each.
    pub macs: Vec<Vec<u32>>,
    pub cable_path: Option<String>,
    pub cpus: Vec<u32>,
    pub empty: bool,
    pub huge_pages: bool,
    pub record_writes: bool,
    pub dirty_ring_bytes: u32,
    pub idle_poll_microseconds: f64,
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}

impl NativeOptions {
    /// The blueprint, if there can be such a guest. `hole` says whether its addresses leave out the space below 4 GiB,
    /// `tsc_khz` is the frequency of its time stamp counter.
    pub fn to_blueprint(&self, hole: bool, tsc_khz: u64) -> Result<Blueprint> {
        let workload = match self.workload.as_str() {
            "idle" => Workload::Idle {
                beat_microseconds: self.beat_microseconds as u64,
            },
            "l2fwd" => Workload::L2fwd,
            "appmembench" => Workload::Appmembench {
                working_set_bytes: self.working_set_bytes as u64,
                pages_per_second: self.pages_per_second as u64,
                whole_pages: self.whole_pages,
                pattern: match self.pattern.as_str() {
                    "sweep" => Pattern::Sweep,
                    "random" => Pattern::Random,
                    "zipf" => Pattern::Zipf,
                    _ => return Err(invalid("pattern is sweep, random or zipf")),
                },
            },
            _ => return Err(invalid("workload is idle, l2fwd or appmembench")),
        };
        let content = match self.content.as_str() {
            "zero" => Content::Zero,
            "text" => Content::Text,
            "code" => Content::Code,
            "random" => Content::Random,
            "mixed" => Content::Mixed,
            _ => return Err(invalid("content is zero, text, code, random or mixed")),
        };
        let wanted = Wanted {
            memory_bytes: self.memory_bytes as u64,
            hole,
            vcpu_count: self.vcpu_count,
            workload,
            resident_bytes: self.resident_bytes as u64,
            content,
            seed: self.seed as u64,
            tsc_khz,
        };
        Ok(Blueprint {
            plan: Plan::new(&wanted).map_err(|error| invalid(&error.to_string()))?,
            macs: [mac(self.macs.first())?, mac(self.macs.get(1))?],
            cable_path: self.cable_path.as_ref().map(Into::into),
            cpus: self.cpus.iter().map(|&cpu| cpu as usize).collect(),
            empty: self.empty,
            huge_pages: self.huge_pages,
            record_writes: self.record_writes,
            dirty_ring_bytes: self.dirty_ring_bytes,
            idle_poll: Duration::from_micros(self.idle_poll_microseconds as u64),
        })
    }
}

fn mac(numbers: Option<&Vec<u32>>) -> Result<[u8; 6]> {
    let bytes: Option<Vec<u8>> =
        numbers.and_then(|numbers| numbers.iter().map(|&number| u8::try_from(number).ok()).collect());
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| invalid("a MAC address has six bytes"))
}
