//! How fast the time stamp counter of this machine goes.

use std::arch::x86_64::_rdtsc;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// A reading of both clocks is off by far less than a microsecond: rates are right to a few parts in 100,000.
const MEASURED_FOR: Duration = Duration::from_millis(20);

/// Its frequency, measured once against the monotonic clock, because nothing tells it without privileges. Sleeps for the
/// time of the measurement.
pub fn tsc_khz() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    *FREQUENCY.get_or_init(|| {
        let (began, first) = reading();
        thread::sleep(MEASURED_FOR);
        let (ended, last) = reading();
        let nanoseconds = (ended - began).as_nanos().max(1);
        let khz = u128::from(last.wrapping_sub(first)) * 1_000_000 / nanoseconds;
        u64::try_from(khz).unwrap_or(u64::MAX).max(1)
    })
}

/// Both clocks at one moment: of a few readings the one that the scheduler disturbed least.
fn reading() -> (Instant, u64) {
    let read = || {
        let before = tsc();
        let now = Instant::now();
        let after = tsc();
        (after.wrapping_sub(before), (now, before))
    };
    (0..8)
        .map(|_| read())
        .min_by_key(|(took, _)| *took)
        .map_or_else(|| read().1, |(_, clocks)| clocks)
}

fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has a time stamp counter, and hosts do not forbid reading it.
    unsafe { _rdtsc() }
}
