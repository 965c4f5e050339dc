//! The world as Node.js sees it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Receiver;

use godwit_nic_sim::Cable;
use napi::bindgen_prelude::{AsyncTask, Result};
use napi::{Env, Error, Status, Task};
use napi_derive::napi;

use crate::account::{Account, OwnFaults, WindowReport};
use crate::clock::now_ns;
use crate::flow_account::FlowCounts;
use crate::generator::{FLOW_COUNT, Generator};
use crate::test_frame::Mac;
use crate::world::World as Inner;
use crate::world_thread::{Pace, Standing, WorldError, WorldThread};

/// How the cables' files begin.
const CABLE_PREFIX: &str = "godwit-cable-";
const HOST_COUNT_MAX: u32 = 16;

pub fn native_error(message: String) -> Error {
    Error::from_reason(format!("ERR_GODWIT_NATIVE_FAILED: {message}"))
}

pub fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message)
}

/// Six bytes in hexadecimal, between colons.
pub fn parse_mac(text: &str) -> Result<Mac> {
    let mut bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let mut mac = [0; 6];
    for place in &mut mac {
        *place = bytes
            .next()
            .and_then(std::result::Result::ok)
            .ok_or_else(|| invalid("not a hardware address"))?;
    }
    if bytes.next().is_some() {
        Err(invalid("not a hardware address"))
    } else {
        Ok(mac)
    }
}

fn print_mac(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn refused(error: WorldError) -> Error {
    match error {
        WorldError::Stopped => Error::from_reason(format!("ERR_GODWIT_CLOSED: {error}")),
        WorldError::WindowOpen | WorldError::NoWindow => invalid(&error.to_string()),
    }
}

/// What a world is made of.
#[napi(object)]
pub struct WorldOptions {
    /// Hosts, each with a cable.
    pub host_count: u32,
    /// Frames a second over both flows; 0 is silence.
    pub frames_per_second: u32,
    /// Hardware addresses of the guest's ports 0 and 1.
    pub guest_macs: Vec<String>,
    /// Time between two turns of the loop.
    pub tick_microseconds: u32,
    /// Frames a flow sends in one turn at most.
    pub burst_frames: u32,
    /// Bytes of each of a cable's four rings, a power of two.
    pub ring_bytes: u32,
    /// How long after its end a window waits for frames that are still out.
    pub grace_milliseconds: u32,
    /// The processor the thread stays on.
    pub cpu: Option<u32>,
    /// Whether the thread has real-time priority.
    pub real_time: Option<bool>,
    /// Where the cables' files are made: a tmpfs.
    pub directory: String,
}

/// Counts of one flow.
#[napi(object)]
pub struct FlowReport {
    pub offered: i64,
    pub returned: i64,
    pub lost: i64,
    pub duplicated: i64,
    pub reordered: i64,
    pub corrupted: i64,
    pub dropped_at_ring: i64,
    pub dropped_without_link: i64,
    pub forgotten: i64,
    pub longest_gap_ns: i64,
    pub longest_gap_start_ns: i64,
}

/// What the generator and its thread did wrong themselves.
#[napi(object)]
pub struct OwnFaultReport {
    pub late_frames: i64,
    pub skipped_frames: i64,
    pub longest_stall_ns: i64,
}

/// A finished measuring window.
#[napi(object)]
pub struct NativeWindowReport {
    pub start_ns: i64,
    pub end_ns: i64,
    pub flows: Vec<FlowReport>,
    pub latency_p50_ns: i64,
    pub latency_p99_ns: i64,
    pub latency_max_ns: i64,
    pub own_faults: OwnFaultReport,
}

/// Where a hardware address lives.
#[napi(object)]
pub struct LocationReport {
    pub mac: String,
    pub host: u32,
    pub since_ns: i64,
}

/// Where things stand since the start.
#[napi(object)]
pub struct StandingReport {
    pub flows: Vec<FlowReport>,
    pub own_faults: OwnFaultReport,
    pub locations: Vec<LocationReport>,
    pub damaged_hosts: Vec<u32>,
}

fn flow_report(counts: &FlowCounts, longest_gap_ns: u64, longest_gap_start_ns: u64) -> FlowReport {
    FlowReport {
        offered: counts.offered as i64,
        returned: counts.returned as i64,
        lost: counts.offered.saturating_sub(counts.returned) as i64,
        duplicated: counts.duplicated as i64,
        reordered: counts.reordered as i64,
        corrupted: counts.corrupted as i64,
        dropped_at_ring: counts.dropped_at_ring as i64,
        dropped_without_link: counts.dropped_without_link as i64,
        forgotten: counts.forgotten as i64,
        longest_gap_ns: longest_gap_ns as i64,
        longest_gap_start_ns: longest_gap_start_ns as i64,
    }
}

fn own_fault_report(faults: OwnFaults) -> OwnFaultReport {
    OwnFaultReport {
        late_frames: faults.late_frames as i64,
        skipped_frames: faults.skipped_frames as i64,
        longest_stall_ns: faults.longest_stall_ns as i64,
    }
}

/// The wait for a window's report, off the JavaScript thread.
pub struct ReportTask(Option<Receiver<std::result::Result<WindowReport, WorldError>>>);

impl Task for ReportTask {
    type Output = WindowReport;
    type JsValue = NativeWindowReport;

    fn compute(&mut self) -> Result<WindowReport> {
        let receiver = self.0.take().ok_or_else(|| refused(WorldError::Stopped))?;
        receiver.recv().unwrap_or(Err(WorldError::Stopped)).map_err(refused)
    }

    fn resolve(&mut self, _env: Env, report: WindowReport) -> Result<NativeWindowReport> {
        let flow = |flow: &crate::flow_account::FlowMeasurement| {
            flow_report(&flow.counts, flow.longest_gap_ns, flow.longest_gap_start_ns)
        };
        Ok(NativeWindowReport {
            start_ns: report.start_ns as i64,
            end_ns: report.end_ns as i64,
            flows: report.flows.iter().map(flow).collect(),
            latency_p50_ns: report.latency.quantile_ns(0.5) as i64,
            latency_p99_ns: report.latency.quantile_ns(0.99) as i64,
            latency_max_ns: report.latency.max_ns() as i64,
            own_faults: own_fault_report(report.own_faults),
        })
    }
}

/// The outside world: cables are there from the begin, traffic from `start`.
#[napi]
pub struct World {
    cable_paths: Vec<String>,
    idle: Option<Inner>,
    running: Option<WorldThread>,
    pace: Pace,
}

#[napi]
impl World {
    /// Makes the cables. Those that a world left behind when it was killed are removed.
    #[napi(constructor)]
    pub fn new(options: WorldOptions) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if options.host_count == 0 || options.host_count > HOST_COUNT_MAX {
            return Err(invalid("1 to 16 hosts"));
        }
        let macs = options
            .guest_macs
            .iter()
            .map(|mac| parse_mac(mac))
            .collect::<Result<Vec<_>>>()?;
        let guest_macs: [Mac; FLOW_COUNT] = macs
            .try_into()
            .map_err(|_| invalid("two hardware addresses are needed"))?;
        let directory = PathBuf::from(&options.directory);
        Cable::remove_abandoned(&directory, CABLE_PREFIX);
        let now_ns = now_ns();
        let mut cables = Vec::new();
        let mut cable_paths = Vec::new();
        for _ in 0..options.host_count {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{CABLE_PREFIX}{}-{now_ns:x}-{count}", std::process::id()));
            let cable = Cable::create(&path, options.ring_bytes as usize)
                .map_err(|error| native_error(format!("making a cable in {}: {error}", directory.display())))?;
            cables.push(cable);
            cable_paths.push(path.to_string_lossy().into_owned());
        }
        let tick_ns = u64::from(options.tick_microseconds.max(1)) * 1000;
        let rate = u64::from(options.frames_per_second);
        let generator = Generator::new(rate, u64::from(options.burst_frames.max(1)), 2 * tick_ns, now_ns);
        let account = Account::new(u64::from(options.grace_milliseconds) * 1_000_000);
        let inner = Inner::new(cables, guest_macs, generator, account, now_ns);
        let pace = Pace {
            tick_ns,
            cpu: options.cpu.map(|cpu| cpu as usize),
            real_time: options.real_time.unwrap_or(false),
        };
        Ok(Self {
            cable_paths,
            idle: Some(inner),
            running: None,
            pace,
        })
    }

    /// The cables' files, one for each host.
    #[napi(getter)]
    pub fn cable_paths(&self) -> Vec<String> {
        self.cable_paths.clone()
    }

    fn running(&self) -> Result<&WorldThread> {
        self.running.as_ref().ok_or_else(|| refused(WorldError::Stopped))
    }

    /// Starts the thread, and with it the traffic. Only once.
    #[napi]
    pub fn start(&mut self) -> Result<()> {
        let mut world = self.idle.take().ok_or_else(|| invalid("it was started before"))?;
        world.begin_at(now_ns());
        let running = WorldThread::start(world, self.pace)
            .map_err(|error| native_error(format!("starting the thread: {error}")))?;
        self.running = Some(running);
        Ok(())
    }

    /// Stops the thread and removes the cables.
    #[napi]
    pub fn stop(&mut self) {
        self.idle = None;
        self.running = None;
    }

    /// Opens a measuring window and gives its begin in nanoseconds of the monotonic clock.
    #[napi]
    pub fn begin_window(&self) -> Result<i64> {
        self.running()?
            .begin_window()
            .map(|start_ns| start_ns as i64)
            .map_err(refused)
    }

    /// Ends the window and reports it once its frames are back or its grace is over.
    #[napi(ts_return_type = "Promise<NativeWindowReport>")]
    pub fn end_window(&self) -> Result<AsyncTask<ReportTask>> {
        let receiver = self.running()?.end_window().map_err(refused)?;
        Ok(AsyncTask::new(ReportTask(Some(receiver))))
    }

    /// Where things stand since the start.
    #[napi]
    pub fn standing(&self) -> Result<StandingReport> {
        let Standing {
            flows,
            own_faults,
            locations,
            damaged_hosts,
        } = self.running()?.standing().map_err(refused)?;
        Ok(StandingReport {
            flows: flows.iter().map(|counts| flow_report(counts, 0, 0)).collect(),
            own_faults: own_fault_report(own_faults),
            locations: locations
                .iter()
                .map(|known| LocationReport {
                    mac: print_mac(known.mac),
                    host: known.host as u32,
                    since_ns: known.since_ns as i64,
                })
                .collect(),
            damaged_hosts: damaged_hosts.iter().map(|host| *host as u32).collect(),
        })
    }

    /// Another rate over both flows.
    #[napi]
    pub fn set_rate(&self, frames_per_second: u32) -> Result<()> {
        self.running()?.set_rate(u64::from(frames_per_second)).map_err(refused)
    }
}
