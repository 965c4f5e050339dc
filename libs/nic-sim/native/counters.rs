//! What a port of the card has counted.

/// Counters of one port. They travel with the card's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames given to the guest.
    pub received_frames: u64,
    /// Frames taken from the guest and put on the cable.
    pub sent_frames: u64,
    /// Frames taken from the guest while no cable was plugged in.
    pub send_dropped_frames: u64,
    /// Frames for the guest that found no room in the backlog.
    pub backlog_dropped_frames: u64,
    /// Descriptors with an address or a length that cannot be; they were given back unused.
    pub descriptor_errors: u64,
}

/// How many counters there are.
pub(crate) const COUNTER_COUNT: usize = 5;

impl PortCounters {
    pub(crate) fn to_array(self) -> [u64; COUNTER_COUNT] {
        [
            self.received_frames,
            self.sent_frames,
            self.send_dropped_frames,
            self.backlog_dropped_frames,
            self.descriptor_errors,
        ]
    }

    pub(crate) fn from_array(values: [u64; COUNTER_COUNT]) -> Self {
        let [
            received_frames,
            sent_frames,
            send_dropped_frames,
            backlog_dropped_frames,
            descriptor_errors,
        ] = values;
        Self {
            received_frames,
            sent_frames,
            send_dropped_frames,
            backlog_dropped_frames,
            descriptor_errors,
        }
    }
}
