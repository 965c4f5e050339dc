//! System calls that fail as on another kernel, or in a container.

use std::thread;

/// From now on calls of this thread with this number (and, for `ioctl`, this request) fail with `errno`.
pub fn forbid(call: libc::c_long, request: Option<u32>, errno: i32) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const SKIP_UNLESS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    // struct seccomp_data: the number at 0, the second argument's low half at 24.
    let mut program = vec![step(LOAD, 0, 0), step(SKIP_UNLESS, 1, call as u32)];
    if let Some(request) = request {
        program[1].jf = 3;
        program.extend([step(LOAD, 0, 24), step(SKIP_UNLESS, 1, request)]);
    }
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    program.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: a flag of this thread.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies the program, which lives until the call returns; it concerns this thread alone.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Runs on a thread of its own, which a filter ends with.
pub fn alone<Done: Send>(work: impl FnOnce() -> Done + Send) -> Done {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}
