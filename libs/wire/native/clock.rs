//! The monotonic clock of the machine.

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a place of our own; this clock exists everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * NS_PER_SECOND + time.tv_nsec as u64
}

/// Sleeps until that moment of `CLOCK_MONOTONIC` (`clock_nanosleep(2)`, absolute), or a signal.
pub fn sleep_until(moment_ns: u64) {
    let until = libc::timespec {
        tv_sec: (moment_ns / NS_PER_SECOND) as libc::time_t,
        tv_nsec: (moment_ns % NS_PER_SECOND) as libc::c_long,
    };
    // SAFETY: the kernel reads one timespec of our own and writes no remainder, as the moment is absolute.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &until, std::ptr::null_mut()) };
}

/// Gives the calling thread the lowest real-time priority (`SCHED_FIFO`); false when that is not allowed. Such a thread
/// goes before every ordinary one and must sleep often.
pub fn run_in_real_time() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads one structure of our own; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) == 0 }
}
