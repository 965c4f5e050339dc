/// What a sender may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Hand this many bytes to the socket.
    Send(usize),
    /// Ask again after so many nanoseconds.
    WaitNs(u64),
}

/// The queue in front of a link of a given rate: a leaky bucket that the link drains. Bytes enter while there is room,
/// so a sender runs ahead of the link by the depth of the queue and no further; an idle link takes a small message at once.
///
/// Time is the caller's, in nanoseconds of a monotonic clock; the arithmetic is exact (bytes times nanoseconds).
#[derive(Debug, Default)]
pub struct Pacer {
    /// What the link has not carried yet, in bytes times 10^9. Negative while a sender that overslept catches up.
    backlog: i128,
    at_ns: u64,
}

const NS_PER_SECOND: i128 = 1_000_000_000;
const QUEUE_BYTES_MIN: u64 = 4 << 10;
const QUEUE_BYTES_MAX: u64 = 128 << 10;
/// A busy sender that is woken late (a shared processor) may make up for this much: a real link would have been kept
/// busy by the socket's buffer meanwhile.
const CATCH_UP_NS: i128 = 2_000_000;
/// A transfer that begins so soon after another continues it.
const FOLLOWS_NS: u64 = 100_000;
/// Waits are cut so that a new rate takes effect soon on a slow link.
const WAIT_NS_MAX: u64 = 5_000_000;

impl Pacer {
    /// How far a sender may run ahead of the link: what it carries in a millisecond, between 4 and 128 KiB.
    pub fn queue_bytes(bytes_per_second: u64) -> u64 {
        (bytes_per_second / 1000).clamp(QUEUE_BYTES_MIN, QUEUE_BYTES_MAX)
    }

    /// A transfer begins: the time the link was idle before it is lost. What an overslept sender has to make up is kept
    /// if this transfer follows closely.
    pub fn begin(&mut self, now_ns: u64, bytes_per_second: u64) {
        let follows = now_ns.saturating_sub(self.at_ns) <= FOLLOWS_NS;
        let floor = if follows { self.backlog.min(0) } else { 0 };
        self.drain(now_ns, bytes_per_second);
        self.backlog = self.backlog.max(floor);
    }

    /// Whether some of `wanted` bytes may go now.
    pub fn grant(&mut self, now_ns: u64, bytes_per_second: u64, wanted: usize) -> Grant {
        self.drain(now_ns, bytes_per_second);
        let queue = Self::queue_bytes(bytes_per_second);
        let room =
            i128::from(queue) - self.backlog.div_euclid(NS_PER_SECOND) - i128::from(self.backlog % NS_PER_SECOND != 0);
        // Waking for less than half a queue would cost more in system calls than it gives.
        let least = (wanted as u64).min(queue / 2).max(1);
        if room >= i128::from(least) {
            return Grant::Send(wanted.min(room.min(i128::from(queue)) as usize));
        }
        let excess = self.backlog - (i128::from(queue) - i128::from(least)) * NS_PER_SECOND;
        let rate = i128::from(bytes_per_second.max(1));
        let wait_ns = (excess + rate - 1).div_euclid(rate).max(1);
        Grant::WaitNs(u64::try_from(wait_ns).unwrap_or(WAIT_NS_MAX).min(WAIT_NS_MAX))
    }

    /// The socket took so many bytes.
    pub fn sent(&mut self, bytes: usize) {
        self.backlog += bytes as i128 * NS_PER_SECOND;
    }

    fn drain(&mut self, now_ns: u64, bytes_per_second: u64) {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        self.at_ns = self.at_ns.max(now_ns);
        let rate = i128::from(bytes_per_second);
        self.backlog = self
            .backlog
            .saturating_sub(rate.saturating_mul(passed_ns.into()))
            .max(-rate * CATCH_UP_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_GIGABIT: u64 = 1_250_000_000;

    /// Sends on a virtual clock; each sleep ends `late_ns` too late. Returns (end of sending, furthest run ahead in bytes).
    fn send(pacer: &mut Pacer, start_ns: u64, rate: u64, bytes: usize, late_ns: u64) -> (u64, i128) {
        let (mut now, mut left, mut ahead) = (start_ns, bytes, 0);
        pacer.begin(now, rate);
        while left > 0 {
            match pacer.grant(now, rate, left) {
                Grant::Send(count) => {
                    assert!(count > 0 && count <= left);
                    pacer.sent(count);
                    left -= count;
                    let carried = i128::from(rate) * i128::from(now - start_ns) / NS_PER_SECOND;
                    ahead = ahead.max((bytes - left) as i128 - carried);
                }
                Grant::WaitNs(wait_ns) => now += wait_ns + late_ns,
            }
        }
        (now, ahead)
    }

    #[test]
    fn a_long_transfer_takes_the_time_the_link_needs_less_the_queue() {
        for rate in [125_000_000, TEN_GIGABIT, 12_500_000_000] {
            let bytes = 256 << 20;
            let (end, ahead) = send(&mut Pacer::default(), 7, rate, bytes, 0);
            let queue = Pacer::queue_bytes(rate);
            let exact = (bytes as u128 * 1_000_000_000 / u128::from(rate)) as u64;
            let queue_ns = queue * 1_000_000_000 / rate;
            assert!(
                (end - 7).abs_diff(exact - queue_ns) <= 1 + queue_ns / 2,
                "{rate}: {end} {exact} {queue_ns}"
            );
            assert!(ahead <= i128::from(queue), "{rate}: {ahead}");
        }
    }

    #[test]
    fn no_window_carries_more_than_the_rate_and_the_queue() {
        let mut pacer = Pacer::default();
        let (mut now, mut sent) = (0, Vec::new());
        for step in 0..4000u64 {
            pacer.begin(now, TEN_GIGABIT);
            let wanted = 1 + (step * 7919 % 300_000) as usize;
            match pacer.grant(now, TEN_GIGABIT, wanted) {
                Grant::Send(count) => {
                    pacer.sent(count);
                    sent.push((now, count as u64));
                    now += step % 3 * 1000;
                }
                Grant::WaitNs(wait_ns) => now += wait_ns,
            }
        }
        for first in 0..sent.len() {
            let mut bytes = 0;
            for (at, count) in &sent[first..sent.len().min(first + 200)] {
                bytes += count;
                let carried = (at - sent[first].0) as u128 * u128::from(TEN_GIGABIT) / 1_000_000_000;
                assert!(u128::from(bytes) <= carried + u128::from(QUEUE_BYTES_MAX) + 1);
            }
        }
    }

    #[test]
    fn an_idle_link_takes_a_small_message_at_once() {
        let mut pacer = Pacer::default();
        let (end, _) = send(&mut pacer, 0, TEN_GIGABIT, 10 << 20, 0);
        let later = end + 1_000_000;
        pacer.begin(later, TEN_GIGABIT);
        assert_eq!(pacer.grant(later, TEN_GIGABIT, 64), Grant::Send(64));
        assert_eq!(Pacer::default().grant(0, 1, 64), Grant::Send(64));
    }

    #[test]
    fn a_message_behind_a_bulk_transfer_waits_for_the_queue_only() {
        let mut pacer = Pacer::default();
        let (end, _) = send(&mut pacer, 0, TEN_GIGABIT, 10 << 20, 0);
        let (after, _) = send(&mut pacer, end, TEN_GIGABIT, 64, 0);
        assert!(after - end <= QUEUE_BYTES_MAX * 1_000_000_000 / TEN_GIGABIT);
    }

    #[test]
    fn a_sender_that_wakes_late_keeps_the_rate() {
        let bytes = 64 << 20;
        let (on_time, _) = send(&mut Pacer::default(), 0, TEN_GIGABIT, bytes, 0);
        let (late, ahead) = send(&mut Pacer::default(), 0, TEN_GIGABIT, bytes, 300_000);
        assert!(late.abs_diff(on_time) <= 500_000, "{late} {on_time}");
        assert!(ahead <= i128::from(QUEUE_BYTES_MAX));
        let (too_late, _) = send(&mut Pacer::default(), 0, TEN_GIGABIT, bytes, 10_000_000);
        assert!(too_late > on_time * 2);
    }

    #[test]
    fn small_transfers_in_a_row_keep_the_rate_as_one_big_one_does() {
        let (one, _) = send(&mut Pacer::default(), 0, TEN_GIGABIT, 64 << 20, 0);
        let (mut pacer, mut now) = (Pacer::default(), 0);
        for _ in 0..1024 {
            now = send(&mut pacer, now, TEN_GIGABIT, 64 << 10, 80_000).0;
        }
        assert!(now.abs_diff(one) <= 500_000, "{now} {one}");
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let mut pacer = Pacer::default();
        pacer.begin(0, TEN_GIGABIT);
        let start = 3_600_000_000_000;
        let (end, ahead) = send(&mut pacer, start, TEN_GIGABIT, 64 << 20, 0);
        assert!(ahead <= i128::from(QUEUE_BYTES_MAX));
        assert!(end - start > 53_000_000);
    }

    #[test]
    fn a_new_rate_drains_what_the_old_one_left() {
        let mut pacer = Pacer::default();
        pacer.begin(0, 4096);
        assert_eq!(pacer.grant(0, 4096, 4096), Grant::Send(4096));
        pacer.sent(4096);
        assert_eq!(pacer.grant(0, 4096, 4096), Grant::WaitNs(WAIT_NS_MAX));
        assert_eq!(pacer.grant(4096, 1_000_000_000, 4096), Grant::Send(4096));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut pacer = Pacer::default();
        pacer.begin(u64::MAX, u64::MAX);
        assert_eq!(
            pacer.grant(u64::MAX, u64::MAX, usize::MAX),
            Grant::Send(QUEUE_BYTES_MAX as usize)
        );
        pacer.sent(usize::MAX);
        assert!(matches!(pacer.grant(0, 1, usize::MAX), Grant::WaitNs(_)));
    }
}
