//! The account of all flows, and the report of a measuring window over them.

use crate::flow_account::{Delivery, FlowAccount, FlowCounts, FlowMeasurement};
use crate::generator::{Burst, FLOW_COUNT};
use crate::latency_histogram::LatencyHistogram;
use crate::test_frame::TestFrame;

/// Sequence numbers of each flow that are remembered: 8 s at 500,000 frames a second, in 512 KiB.
const REMEMBERED_FRAMES: u64 = 1 << 22;

/// What the generator and the thread itself did wrong, so that nobody takes it for the guest's fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnFaults {
    /// Frames sent later than due.
    pub late_frames: u64,
    /// Frames that were due while the whole thread stood still, and never sent.
    pub skipped_frames: u64,
    /// The longest time between two turns of the thread's loop.
    pub longest_stall_ns: u64,
}

/// A finished window.
#[derive(Clone)]
pub struct WindowReport {
    pub start_ns: u64,
    pub end_ns: u64,
    pub flows: [FlowMeasurement; FLOW_COUNT],
    pub latency: LatencyHistogram,
    pub own_faults: OwnFaults,
}

struct Window {
    start_ns: u64,
    end_ns: Option<u64>,
    own_faults: OwnFaults,
}

/// The account of all flows.
pub struct Account {
    flows: [FlowAccount; FLOW_COUNT],
    window: Option<Window>,
    own_faults: OwnFaults,
    /// How long after its end a window waits for frames that are still out.
    grace_ns: u64,
}

impl Account {
    pub fn new(grace_ns: u64) -> Self {
        Self {
            flows: [FlowAccount::new(REMEMBERED_FRAMES), FlowAccount::new(REMEMBERED_FRAMES)],
            window: None,
            own_faults: OwnFaults::default(),
            grace_ns,
        }
    }

    /// The next frame of a flow.
    pub fn offer(&mut self, flow: usize, now_ns: u64) -> TestFrame {
        TestFrame {
            flow: flow as u16,
            sequence: self.flows[flow].offer(),
            timestamp_ns: now_ns,
        }
    }

    /// What became of the frame offered last in a flow.
    pub fn delivered(&mut self, flow: usize, delivery: Delivery) {
        self.flows[flow].delivered(delivery);
    }

    /// A frame for the generator came out of the guest's port `port`. A flow enters at one port and leaves at the other.
    pub fn arrived(&mut self, bytes: &[u8], port: usize, now_ns: u64) {
        let flow_of_port = FLOW_COUNT - 1 - port;
        match TestFrame::decode(bytes) {
            Some(frame) if usize::from(frame.flow) == flow_of_port => self.flows[flow_of_port].returned(&frame, now_ns),
            _ => self.flows[flow_of_port].corrupted(),
        }
    }

    fn note_own(&mut self, note: impl Fn(&mut OwnFaults)) {
        note(&mut self.own_faults);
        if let Some(window) = self.window.as_mut().filter(|window| window.end_ns.is_none()) {
            note(&mut window.own_faults);
        }
    }

    /// What the generator was behind with.
    pub fn note_burst(&mut self, burst: Burst) {
        if burst.late + burst.skipped > 0 {
            self.note_own(|faults| {
                faults.late_frames += burst.late;
                faults.skipped_frames += burst.skipped;
            });
        }
    }

    /// The time since the loop's last turn.
    pub fn note_turn(&mut self, elapsed_ns: u64) {
        self.note_own(|faults| faults.longest_stall_ns = faults.longest_stall_ns.max(elapsed_ns));
    }

    /// Opens a window; false while there is one.
    pub fn begin(&mut self, now_ns: u64) -> bool {
        if self.window.is_some() {
            return false;
        }
        self.window = Some(Window {
            start_ns: now_ns,
            end_ns: None,
            own_faults: OwnFaults::default(),
        });
        for flow in &mut self.flows {
            flow.begin(now_ns);
        }
        true
    }

    /// Ends the window; false when none is open.
    pub fn end(&mut self, now_ns: u64) -> bool {
        let Some(window) = self.window.as_mut().filter(|window| window.end_ns.is_none()) else {
            return false;
        };
        window.end_ns = Some(now_ns);
        for flow in &mut self.flows {
            flow.end(now_ns);
        }
        true
    }

    /// The report of an ended window, once every frame of it is back or its grace is over.
    pub fn take_report(&mut self, now_ns: u64) -> Option<WindowReport> {
        let (start_ns, end_ns, own_faults) = self
            .window
            .as_ref()
            .and_then(|window| Some((window.start_ns, window.end_ns?, window.own_faults)))?;
        let outstanding: u64 = self
            .flows
            .iter()
            .filter_map(FlowAccount::measurement)
            .map(FlowMeasurement::outstanding)
            .sum();
        if outstanding > 0 && now_ns < end_ns + self.grace_ns {
            return None;
        }
        self.window = None;
        let [first, second] = &mut self.flows;
        let flows = [first.take()?, second.take()?];
        let mut latency = LatencyHistogram::default();
        for flow in &flows {
            latency.merge(&flow.latency);
        }
        Some(WindowReport {
            start_ns,
            end_ns,
            flows,
            latency,
            own_faults,
        })
    }

    /// Counts of every flow since the start.
    pub fn totals(&self) -> ([FlowCounts; FLOW_COUNT], OwnFaults) {
        (self.flows.each_ref().map(|flow| flow.totals), self.own_faults)
    }
}
