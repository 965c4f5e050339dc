//! A kernel that lacks what tracking needs, or forbids it: forced by a system call filter, with the very error codes of
//! older kernels and of containers.

#[path = "tracked/refusal.rs"]
mod refusal;
mod tracked;

use godwit_dirty_tracker::{KvmDirtyLog, PagemapScan};
use godwit_ports::{CapsuleError, DirtySource};
use refusal::{alone, forbid};
use tracked::{Backing, PAGE_WORDS, Shadow, map, memory, register, words};

const PAGE_COUNT: usize = 500;
/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u32 = 0xc060_6610;

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
