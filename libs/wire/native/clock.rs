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

/// Makes the calling thread's sleeps end as exactly as the kernel can (timer slack 1 ns instead of 50 µs).
pub fn sleep_exactly() {
    // SAFETY: PR_SET_TIMERSLACK takes a number and concerns the calling thread alone.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

/// Ties the calling thread to one processor; false when that is not possible.
pub fn pin_to(cpu: usize) -> bool {
    if cpu >= libc::CPU_SETSIZE as usize {
        return false;
    }
    // SAFETY: a set of bits for which all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the index was checked against the size of the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads one set of the size given; 0 is the calling thread.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0 }
}

/// `struct sched_attr` of `sched_setattr(2)`, as of its first version.
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// The shortest slice the kernel grants an ordinary thread.
const SLICE_NS: u64 = 100_000;
/// The highest weight of an ordinary thread.
const NICE: i32 = -20;

/// Asks that the calling thread run soon after each wake-up: a short slice, which since Linux 6.12 means an early
/// deadline, and the highest weight where this process may have it. What is refused is left as it was.
pub fn wake_early() {
    for nice in [NICE, 0] {
        let attributes = SchedulingAttributes {
            size: size_of::<SchedulingAttributes>() as u32,
            policy: libc::SCHED_OTHER as u32,
            flags: 0,
            nice,
            priority: 0,
            runtime_ns: SLICE_NS,
            deadline_ns: 0,
            period_ns: 0,
        };
        // SAFETY: the kernel reads one structure of the size it names; 0 is the calling thread.
        if unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } == 0 {
            return;
        }
    }
}

/// Gives the calling thread the lowest real-time priority (`SCHED_FIFO`); false when that is not allowed. Such a thread
/// goes before every ordinary one and must sleep often.
pub fn run_in_real_time() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads one structure of our own; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) == 0 }
}
