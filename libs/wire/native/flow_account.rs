//! The account of one flow: what was offered and what became of it.

use crate::latency_histogram::LatencyHistogram;
use crate::sequence_window::{Arrival, SequenceWindow};
use crate::test_frame::TestFrame;

/// Frames of one flow, since the start or within a measuring window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Put on a cable, or dropped in the attempt.
    pub offered: u64,
    /// Came back, each counted once.
    pub returned: u64,
    /// Came back more than once: the further times.
    pub duplicated: u64,
    /// Came back after a younger one.
    pub reordered: u64,
    /// Came back with other content, on the wrong side, or were never sent.
    pub corrupted: u64,
    /// Of the offered: the cable's ring was full.
    pub dropped_at_ring: u64,
    /// Of the offered: no host was plugged in where the switch wanted to send them.
    pub dropped_without_link: u64,
    /// Came back so late that nobody remembers them; counted as lost before.
    pub forgotten: u64,
}

/// What became of a frame that the generator sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on a cable.
    Carried,
    /// The ring was full.
    RingFull,
    /// No host there.
    NoLink,
}

/// A measuring window over one flow. Frames belong to it by their sequence number, so that one offered inside counts
/// whenever it returns; gaps belong to it by time.
#[derive(Clone)]
pub struct FlowMeasurement {
    pub counts: FlowCounts,
    pub latency: LatencyHistogram,
    pub longest_gap_ns: u64,
    pub longest_gap_start_ns: u64,
    begin_sequence: u64,
    end_sequence: Option<u64>,
    last_return_ns: u64,
}

impl FlowMeasurement {
    fn holds(&self, sequence: u64) -> bool {
        sequence >= self.begin_sequence && self.end_sequence.is_none_or(|end| sequence < end)
    }

    fn note_gap(&mut self, now_ns: u64) {
        let gap_ns = now_ns.saturating_sub(self.last_return_ns);
        if gap_ns > self.longest_gap_ns {
            self.longest_gap_ns = gap_ns;
            self.longest_gap_start_ns = self.last_return_ns;
        }
        self.last_return_ns = now_ns;
    }

    /// Frames of the window that have not come back, nor were dropped before the cable.
    pub fn outstanding(&self) -> u64 {
        let known = self.counts.returned + self.counts.dropped_at_ring + self.counts.dropped_without_link;
        self.counts.offered.saturating_sub(known)
    }
}

/// The account of one flow.
pub struct FlowAccount {
    sequences: SequenceWindow,
    youngest_returned: Option<u64>,
    pub totals: FlowCounts,
    measurement: Option<FlowMeasurement>,
}

impl FlowAccount {
    pub fn new(span: u64) -> Self {
        Self {
            sequences: SequenceWindow::new(span),
            youngest_returned: None,
            totals: FlowCounts::default(),
            measurement: None,
        }
    }

    /// The sequence number of the next frame.
    pub fn offer(&mut self) -> u64 {
        self.sequences.offer()
    }

    /// What became of the frame offered last.
    pub fn delivered(&mut self, delivery: Delivery) {
        let count = |counts: &mut FlowCounts| {
            counts.offered += 1;
            match delivery {
                Delivery::Carried => {}
                Delivery::RingFull => counts.dropped_at_ring += 1,
                Delivery::NoLink => counts.dropped_without_link += 1,
            }
        };
        count(&mut self.totals);
        if let Some(measurement) = self.measurement.as_mut().filter(|open| open.end_sequence.is_none()) {
            count(&mut measurement.counts);
        }
    }

    /// A frame of this flow came back damaged.
    pub fn corrupted(&mut self) {
        self.totals.corrupted += 1;
        if let Some(measurement) = self.measurement.as_mut() {
            measurement.counts.corrupted += 1;
        }
    }

    /// A whole frame of this flow came back.
    pub fn returned(&mut self, frame: &TestFrame, now_ns: u64) {
        let arrival = self.sequences.arrive(frame.sequence);
        if arrival == Arrival::Unknown {
            return self.corrupted();
        }
        let reordered = arrival == Arrival::First && self.youngest_returned.is_some_and(|young| frame.sequence < young);
        self.youngest_returned = self.youngest_returned.max(Some(frame.sequence));
        let count = |counts: &mut FlowCounts| {
            match arrival {
                Arrival::First => counts.returned += 1,
                Arrival::Again => counts.duplicated += 1,
                Arrival::Forgotten | Arrival::Unknown => counts.forgotten += 1,
            }
            counts.reordered += u64::from(reordered);
        };
        count(&mut self.totals);
        let Some(measurement) = self.measurement.as_mut() else {
            return;
        };
        if measurement.end_sequence.is_none() && arrival == Arrival::First {
            measurement.note_gap(now_ns);
        }
        if measurement.holds(frame.sequence) {
            count(&mut measurement.counts);
            if arrival == Arrival::First {
                measurement.latency.record(now_ns.saturating_sub(frame.timestamp_ns));
            }
        }
    }

    /// Opens a window. The time until the first return in it counts as a gap, too.
    pub fn begin(&mut self, now_ns: u64) {
        self.measurement = Some(FlowMeasurement {
            counts: FlowCounts::default(),
            latency: LatencyHistogram::default(),
            longest_gap_ns: 0,
            longest_gap_start_ns: now_ns,
            begin_sequence: self.sequences.next(),
            end_sequence: None,
            last_return_ns: now_ns,
        });
    }

    /// Ends the window: later frames are not of it, and the time since the last return is its last gap.
    pub fn end(&mut self, now_ns: u64) {
        if let Some(measurement) = self.measurement.as_mut().filter(|open| open.end_sequence.is_none()) {
            measurement.end_sequence = Some(self.sequences.next());
            measurement.note_gap(now_ns);
        }
    }

    /// The window, while there is one.
    pub fn measurement(&self) -> Option<&FlowMeasurement> {
        self.measurement.as_ref()
    }

    /// Takes the window away.
    pub fn take(&mut self) -> Option<FlowMeasurement> {
        self.measurement.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64) -> TestFrame {
        TestFrame {
            flow: 0,
            sequence,
            timestamp_ns: 0,
        }
    }

    #[test]
    fn every_fate_is_counted_once_in_the_window_of_its_offer() {
        let mut account = FlowAccount::new(64);
        account.offer();
        account.delivered(Delivery::Carried);
        account.begin(100);
        for delivery in [
            Delivery::Carried,
            Delivery::RingFull,
            Delivery::Carried,
            Delivery::NoLink,
            Delivery::Carried,
        ] {
            account.offer();
            account.delivered(delivery);
        }
        account.returned(&frame(0), 200);
        account.returned(&frame(3), 300);
        account.returned(&frame(1), 900);
        account.returned(&frame(1), 950);
        account.returned(&frame(9), 960);
        account.corrupted();
        account.end(1000);
        account.offer();
        account.delivered(Delivery::Carried);
        account.returned(&frame(6), 1100);
        let measurement = account.measurement().unwrap();
        assert_eq!(measurement.outstanding(), 1);
        assert_eq!(
            (measurement.longest_gap_ns, measurement.longest_gap_start_ns),
            (600, 300)
        );
        account.returned(&frame(5), 1200);
        let counts = account.take().unwrap().counts;
        let expected = FlowCounts {
            offered: 5,
            returned: 3,
            duplicated: 1,
            reordered: 2,
            corrupted: 2,
            dropped_at_ring: 1,
            dropped_without_link: 1,
            forgotten: 0,
        };
        assert_eq!(counts, expected);
        assert_eq!(account.totals.offered, 7);
        assert_eq!(account.totals.returned, 5);
    }

    #[test]
    fn a_window_without_a_single_return_is_one_gap() {
        let mut account = FlowAccount::new(64);
        account.begin(10);
        account.end(510);
        assert_eq!(account.take().unwrap().longest_gap_ns, 500);
    }
}
