//! A kernel that lacks what tracking needs, or forbids it: forced by a system call filter, with the very error codes of
//! older kernels and of containers.

mod tracked;

use std::thread;

use godwit_dirty_tracker::{KvmDirtyLog, PagemapScan};
use godwit_ports::{CapsuleError, DirtySource};
use tracked::{Backing, PAGE_WORDS, Shadow, map, memory, register, words};

const PAGE_COUNT: usize = 500;
/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u32 = 0xc060_6610;

/// From now on calls of this thread with this number (and, for `ioctl`, this request) fail with `errno`.
fn forbid(call: libc::c_long, request: Option<u32>, errno: i32) {
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
fn alone<Done: Send>(work: impl FnOnce() -> Done + Send) -> Done {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

fn scannable() -> Backing {
    Backing {
        userfault: true,
        pagemap: true,
        ..Backing::default()
    }
}

#[test]
fn a_kernel_without_pagemap_scan_is_refused_in_words() {
    let Ok(memory) = memory(map(PAGE_COUNT), PAGE_COUNT, scannable()) else {
        return;
    };
    let missing = alone(|| {
        forbid(libc::SYS_ioctl, Some(PAGEMAP_SCAN), libc::ENOTTY);
        PagemapScan::new(memory.clone()).err().unwrap()
    });
    assert!(missing.contains("no PAGEMAP_SCAN"), "{missing}");
}

#[test]
fn a_scan_that_is_refused_half_way_is_an_error_and_loses_nothing() {
    let Ok(memory) = memory(map(PAGE_COUNT), PAGE_COUNT, scannable()) else {
        return;
    };
    let tracker = PagemapScan::new(memory.clone()).unwrap();
    for page in 0..PAGE_COUNT {
        words(&memory)[page * PAGE_WORDS].store(1, std::sync::atomic::Ordering::Relaxed);
    }
    let mut shadow = Shadow::begin(&memory, &tracker);
    for page in (0..PAGE_COUNT).step_by(7) {
        words(&memory)[page * PAGE_WORDS].store(2, std::sync::atomic::Ordering::Relaxed);
    }
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    let refused = alone(|| {
        forbid(libc::SYS_ioctl, Some(PAGEMAP_SCAN), libc::EPERM);
        tracker.collect(&mut bitmap)
    });
    assert_eq!(refused, Err(CapsuleError::Os(libc::EPERM)));
    shadow.collect(&memory, &tracker);
    assert_eq!(shadow.stale(&memory), Vec::<usize>::new());
}

#[test]
fn userfaultfd_without_permission_is_refused_and_leaves_a_memory_without_it() {
    let refused = alone(|| {
        forbid(libc::SYS_userfaultfd, None, libc::EPERM);
        register(map(8), 8).err().unwrap()
    });
    assert!(refused.contains("not permitted"), "{refused}");
    let backing = Backing {
        pagemap: true,
        ..Backing::default()
    };
    let memory = memory(map(8), 8, backing).unwrap();
    let missing = PagemapScan::new(memory.clone()).err().unwrap();
    assert!(missing.contains("userfaultfd"), "{missing}");
    assert!(KvmDirtyLog::new(memory).err().unwrap().contains("VM"));
}
