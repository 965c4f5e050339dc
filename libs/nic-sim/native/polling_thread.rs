//! How the threads at both ends of a cable are scheduled: they sleep briefly, and must look again in time.

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

/// Asks that the calling thread run soon after each wake-up: a short slice, which since Linux 6.12 means an early
/// deadline, and the weight of `nice` (-20 is the highest, 0 the usual) where this process may have it. What is refused is
/// left as it was.
pub fn wake_early(nice: i32) {
    for nice in [nice, 0] {
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
