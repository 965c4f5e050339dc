//! When the next frames of the flows are due.

use crate::test_frame::Mac;

/// Flows of the generator: flow 0 enters the guest at port 0 and leaves it at port 1, flow 1 goes the other way.
pub const FLOW_COUNT: usize = 2;
/// The generator's own addresses, one for each port (locally administered).
pub const GENERATOR_MACS: [Mac; FLOW_COUNT] = [[0x02, 0x67, 0x77, 0, 0, 0], [0x02, 0x67, 0x77, 0, 0, 1]];

const NS_PER_SECOND: u128 = 1_000_000_000;
/// What it is behind by more than this is skipped: the machine stood still.
const BEHIND_NS_MAX: u64 = 100_000_000;

/// How many frames one flow sends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burst {
    pub frames: u64,
    /// Of these: due more than the tolerance ago.
    pub late: u64,
    /// Not sent at all, and never offered.
    pub skipped: u64,
    /// Still due after this burst.
    pub left: u64,
}

/// The schedule of all flows: a steady rate, the flows evenly interleaved.
pub struct Generator {
    frames_per_second: u64,
    since_ns: u64,
    sent: [u64; FLOW_COUNT],
    /// Late is what is sent later than this after it was due.
    late_after_ns: u64,
    burst_max: u64,
}

impl Generator {
    pub fn new(frames_per_second: u64, burst_max: u64, late_after_ns: u64, now_ns: u64) -> Self {
        Self {
            frames_per_second,
            since_ns: now_ns,
            sent: [0; FLOW_COUNT],
            late_after_ns,
            burst_max,
        }
    }

    /// Another rate, over all flows, from now on; zero is silence.
    pub fn set_rate(&mut self, frames_per_second: u64, now_ns: u64) {
        self.frames_per_second = frames_per_second;
        self.restart(now_ns);
    }

    /// The same rate, counted from now on.
    pub fn restart(&mut self, now_ns: u64) {
        self.since_ns = now_ns;
        self.sent = [0; FLOW_COUNT];
    }

    /// Frames of a flow that are due since the rate was set.
    fn due(&self, flow: usize, now_ns: u64) -> u64 {
        let elapsed_ns = u128::from(now_ns.saturating_sub(self.since_ns));
        let halves = elapsed_ns * u128::from(self.frames_per_second);
        // A flow has its share of the rate; each next one is shifted by one frame of the whole.
        let shift = flow as u128 * NS_PER_SECOND;
        (halves.saturating_sub(shift) / (FLOW_COUNT as u128 * NS_PER_SECOND)) as u64
    }

    /// What a flow sends now; it counts as sent.
    pub fn take(&mut self, flow: usize, now_ns: u64) -> Burst {
        let due = self.due(flow, now_ns);
        let forgotten = self.due(flow, now_ns.saturating_sub(BEHIND_NS_MAX));
        let skipped = forgotten.saturating_sub(self.sent[flow]);
        self.sent[flow] += skipped;
        let waiting = due.saturating_sub(self.sent[flow]);
        let frames = waiting.min(self.burst_max);
        let overdue = self.due(flow, now_ns.saturating_sub(self.late_after_ns));
        let late = overdue.saturating_sub(self.sent[flow]).min(frames);
        self.sent[flow] += frames;
        Burst {
            frames,
            late,
            skipped,
            left: waiting - frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_any_ticks_and_shared_evenly() {
        let mut generator = Generator::new(100_001, 1000, 100_000, 5);
        let mut sent = [0; FLOW_COUNT];
        let mut now_ns = 5;
        for tick in 0..20_000_u64 {
            now_ns += 25_000 + (tick % 7) * 8_333;
            for (flow, sent) in sent.iter_mut().enumerate() {
                let burst = generator.take(flow, now_ns);
                assert_eq!((burst.late, burst.skipped, burst.left), (0, 0, 0));
                *sent += burst.frames;
            }
        }
        let expected = (now_ns - 5) as u128 * 100_001 / NS_PER_SECOND;
        assert!(u128::from(sent[0] + sent[1]).abs_diff(expected) <= 1);
        assert!(sent[0].abs_diff(sent[1]) <= 1);
    }

    #[test]
    fn after_a_long_sleep_it_catches_up_in_bursts_and_says_what_was_late() {
        let mut generator = Generator::new(200_000, 1_000, 100_000, 0);
        let burst = generator.take(0, 20_000_000);
        assert_eq!(
            burst,
            Burst {
                frames: 1_000,
                late: 1_000,
                skipped: 0,
                left: 1_000
            }
        );
        assert_eq!(
            generator.take(0, 20_000_000),
            Burst {
                frames: 1_000,
                late: 990,
                skipped: 0,
                left: 0
            }
        );
        assert_eq!(generator.take(0, 20_000_000), Burst::default());
        let burst = generator.take(0, 1_020_000_000);
        assert_eq!((burst.skipped, burst.left), (90_000, 9_000));
        generator.set_rate(0, 2_000_000_000);
        assert_eq!(generator.take(1, 9_000_000_000), Burst::default());
    }
}
