//! PAGEMAP_SCAN over a mapping that threads write all the while.

#[path = "tracked/stress.rs"]
mod stress;
mod tracked;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use godwit_dirty_tracker::PagemapScan;
use godwit_ports::{Capsule, CapsuleError, DirtySource, MemoryTable};
use stress::{COUNTERS, Forgetful, Seen};
use tracked::{Backing, PAGE_BYTES, PAGE_WORDS, Shadow, map, memory, pages, register_range, words};

const PAGE_COUNT: usize = 5000;

fn tracked() -> Option<(Capsule<MemoryTable>, PagemapScan)> {
    let backing = Backing {
        userfault: true,
        pagemap: true,
        ..Backing::default()
    };
    let tracked = memory(map(PAGE_COUNT), PAGE_COUNT, backing)
        .and_then(|memory| PagemapScan::new(memory.clone()).map(|tracker| (memory, tracker)));
    tracked.map_err(|missing| eprintln!("skipped: {missing}")).ok()
}

fn write(memory: &Capsule<MemoryTable>, page: usize) {
    words(memory)[page * PAGE_WORDS + page % PAGE_WORDS].fetch_add(1, Ordering::Relaxed);
}

fn collected(tracker: &PagemapScan) -> Vec<usize> {
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    let count = tracker.collect(&mut bitmap).unwrap();
    let pages = pages(&bitmap);
    assert_eq!(pages.len() as u64, count);
    pages
}

#[test]
fn no_write_of_concurrent_threads_is_lost() {
    let Some((memory, tracker)) = tracked() else { return };
    let stopped = AtomicBool::new(false);
    let mut shadow = thread::scope(|scope| {
        for seed in 1..=2u64 {
            let (memory, stopped) = (&memory, &stopped);
            scope.spawn(move || {
                let mut random = seed;
                while !stopped.load(Ordering::Relaxed) {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    // Half of the memory, of which ever more is populated.
                    let word = (random >> 33) as usize % (PAGE_COUNT / 2) * PAGE_WORDS;
                    words(memory)[word + seed as usize].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while words(&memory)[..64 * PAGE_WORDS]
            .iter()
            .all(|word| word.load(Ordering::Relaxed) == 0)
        {
            thread::yield_now();
        }
        let mut shadow = Shadow::begin(&memory, &tracker);
        let reported: usize = (0..300).map(|_| shadow.collect(&memory, &tracker)).sum();
        stopped.store(true, Ordering::Relaxed);
        assert!(reported > 0);
        shadow
    });
    shadow.collect(&memory, &tracker);
    assert_eq!(shadow.stale(&memory), Vec::<usize>::new());
}

/// Writes a random half of the pages below `page_count` in each round, each page once and in an order of its own; returns
/// how many. The counter of writer `writer` is its own.
fn write_in_rounds(
    memory: &Capsule<MemoryTable>,
    page_count: usize,
    writer: usize,
    round: &AtomicU64,
    stopped: &AtomicBool,
) -> u64 {
    let mut writes = 0;
    let mut random = writer as u64 + 1;
    while !stopped.load(Ordering::Relaxed) {
        let now = round.load(Ordering::Acquire);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (start, mut chances) = ((random >> 33) as usize, random);
        for index in 0..page_count {
            chances = chances.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(now);
            if chances >> 63 == 0 {
                continue;
            }
            // A prime above the number of pages: every page once.
            let page = (start + index * 1_000_003) % page_count;
            let word = &words(memory)[page * PAGE_WORDS + writer];
            word.store(word.load(Ordering::Relaxed) + 1, Ordering::Release);
            writes += 1;
            if round.load(Ordering::Relaxed) != now {
                break;
            }
        }
        while round.load(Ordering::Relaxed) == now && !stopped.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }
    writes
}

/// Threads that write half of the memory, while it is collected; what was seen, and how often they wrote.
fn stressed(memory: &Capsule<MemoryTable>, tracker: &dyn DirtySource, duration: std::time::Duration) -> (Seen, u64) {
    let pages: Vec<usize> = (0..PAGE_COUNT / 2).collect();
    let (round, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (round, stopped) = (&round, &stopped);
        let writers: Vec<_> = (0..COUNTERS)
            .map(|writer| scope.spawn(move || write_in_rounds(memory, PAGE_COUNT / 2, writer, round, stopped)))
            .collect();
        let seen = stress::run(memory, tracker, &pages, duration, round);
        stopped.store(true, Ordering::Relaxed);
        (seen, writers.into_iter().map(|writer| writer.join().unwrap()).sum())
    })
}

#[test]
fn none_of_very_many_writes_is_lost() {
    let Some((memory, tracker)) = tracked() else { return };
    let (seen, writes) = stressed(&memory, &tracker, stress::duration());
    println!(
        "pagemap-scan: {writes} writes, {} pages reported by {} collections, {} lost",
        seen.reported,
        seen.collections,
        seen.lost.len()
    );
    assert_eq!(seen.lost, []);
    assert!(seen.reported > 1000 && seen.collections > 50);
}

#[test]
fn the_stress_sees_one_lost_page() {
    let Some((memory, tracker)) = tracked() else { return };
    let tracker = Forgetful::over(tracker);
    let (seen, _) = stressed(&memory, &tracker, std::time::Duration::from_millis(300));
    let forgotten = Vec::from_iter(tracker.forgotten_page());
    assert_eq!(forgotten.len(), 1);
    assert_eq!(seen.lost.iter().map(|&(_, page)| page).collect::<Vec<_>>(), forgotten);
}

/// Gives a run of pages back.
fn release(memory: &Capsule<MemoryTable>, first_page: usize, page_count: usize) {
    // SAFETY: a run of the mapping, which the capsule keeps; its contents are given up.
    let result = unsafe {
        libc::madvise(
            memory.base().add(first_page * PAGE_BYTES).cast(),
            page_count * PAGE_BYTES,
            libc::MADV_DONTNEED,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn regions_are_released_while_it_collects() {
    let Some((memory, tracker)) = tracked() else { return };
    let stopped = AtomicBool::new(false);
    let releases = AtomicU64::new(0);
    let released = PAGE_COUNT - 1000..PAGE_COUNT;
    let mut shadow = thread::scope(|scope| {
        let (memory, stopped, releases, released) = (&memory, &stopped, &releases, released.clone());
        scope.spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for first in released.clone().step_by(50) {
                    release(memory, first, 50);
                    // Giving memory back is no write; what is written after it is one.
                    for page in first..first + 50 {
                        write(memory, page);
                    }
                }
                releases.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut shadow = Shadow::begin(memory, &tracker);
        while releases.load(Ordering::Relaxed) < 20 {
            shadow.collect(memory, &tracker);
        }
        stopped.store(true, Ordering::Relaxed);
        shadow
    });
    shadow.collect(&memory, &tracker);
    assert_eq!(shadow.stale(&memory), Vec::<usize>::new());
}

const REPLACED: std::ops::Range<usize> = 4000..4016;

/// A new mapping in the place of the old: nobody registered it.
fn replace(memory: &Capsule<MemoryTable>, pages: std::ops::Range<usize>) {
    // SAFETY: replaces pages of the mapping, which the capsule unmaps in the end like the others.
    let replaced = unsafe {
        libc::mmap(
            memory.base().add(pages.start * PAGE_BYTES).cast(),
            pages.len() * PAGE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    assert_ne!(replaced, libc::MAP_FAILED);
}

#[test]
fn a_start_that_fails_half_way_ends_the_tracking_before_it_and_hides_no_write() {
    let Some((memory, tracker)) = tracked() else { return };
    for page in 0..PAGE_COUNT {
        write(&memory, page);
    }
    tracker.start().unwrap();
    // Before what cannot be scanned: the failed start protects them.
    write(&memory, 5);
    write(&memory, 3999);
    replace(&memory, REPLACED);
    assert_eq!(tracker.start(), Err(CapsuleError::Os(libc::EPERM)));
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    assert_eq!(tracker.collect(&mut bitmap), Err(CapsuleError::Unsupported));
    let userfault_fd = memory.userfault_fd().unwrap();
    register_range(
        userfault_fd,
        memory.base().wrapping_add(REPLACED.start * PAGE_BYTES),
        REPLACED.len(),
    )
    .unwrap();
    assert_eq!(tracker.collect(&mut bitmap), Err(CapsuleError::Unsupported));
    tracker.start().unwrap();
    write(&memory, 5);
    assert_eq!(collected(&tracker), [5]);
}

#[test]
fn a_region_that_is_no_longer_registered_is_an_error_and_loses_nothing() {
    let Some((memory, tracker)) = tracked() else { return };
    for page in 0..PAGE_COUNT {
        write(&memory, page);
    }
    let mut shadow = Shadow::begin(&memory, &tracker);
    for page in (0..PAGE_COUNT).step_by(3) {
        write(&memory, page);
    }
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    replace(&memory, REPLACED);
    assert_eq!(tracker.collect(&mut bitmap), Err(CapsuleError::Os(libc::EPERM)));
    assert_eq!(pages(&bitmap), []);
    // Registered again, it goes on; what the failed collection may have taken is reported.
    let userfault_fd = memory.userfault_fd().unwrap();
    register_range(
        userfault_fd,
        memory.base().wrapping_add(REPLACED.start * PAGE_BYTES),
        REPLACED.len(),
    )
    .unwrap();
    for page in REPLACED {
        write(&memory, page);
    }
    shadow.collect(&memory, &tracker);
    assert_eq!(shadow.stale(&memory), Vec::<usize>::new());
}

#[test]
fn reports_each_written_page_once_and_no_other() {
    let Some((memory, tracker)) = tracked() else { return };
    for page in [0, 1, 63, 64, 4998] {
        write(&memory, page);
    }
    tracker.start().unwrap();
    assert_eq!(collected(&tracker), [] as [usize; 0]);
    // Populated before the start, and populated after it; the last page of the memory.
    for page in [1, 64, 65, 700, 4999] {
        write(&memory, page);
        write(&memory, page);
    }
    assert_eq!(collected(&tracker), [1, 64, 65, 700, 4999]);
    assert_eq!(collected(&tracker), [] as [usize; 0]);
    for page in 0..PAGE_COUNT {
        write(&memory, page);
    }
    assert_eq!(collected(&tracker), (0..PAGE_COUNT).collect::<Vec<_>>());
    // More regions than one call returns.
    for page in (0..PAGE_COUNT).step_by(2) {
        write(&memory, page);
    }
    assert_eq!(collected(&tracker), (0..PAGE_COUNT).step_by(2).collect::<Vec<_>>());
    assert_eq!(collected(&tracker), [] as [usize; 0]);
}

#[test]
fn adds_to_what_the_caller_has() {
    let Some((memory, tracker)) = tracked() else { return };
    tracker.start().unwrap();
    write(&memory, 70);
    write(&memory, 71);
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    bitmap[0] = 5;
    bitmap[1] = 1 << 6;
    assert_eq!(tracker.collect(&mut bitmap), Ok(2));
    assert_eq!(pages(&bitmap), [0, 2, 70, 71]);
}

#[test]
fn starts_afresh_and_collects_only_when_started() {
    let Some((memory, tracker)) = tracked() else { return };
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    assert!(tracker.collect(&mut bitmap).is_err());
    tracker.start().unwrap();
    write(&memory, 3);
    tracker.stop().unwrap();
    tracker.stop().unwrap();
    assert!(tracker.collect(&mut bitmap).is_err());
    tracker.start().unwrap();
    assert_eq!(collected(&tracker), [] as [usize; 0]);
    write(&memory, 4);
    assert_eq!(collected(&tracker), [4]);
}

#[test]
fn says_what_is_missing() {
    let refused = |backing| PagemapScan::new(memory(map(8), 8, backing).unwrap()).err().unwrap();
    assert!(refused(Backing::default()).contains("pagemap"));
    assert!(
        refused(Backing {
            pagemap: true,
            ..Backing::default()
        })
        .contains("userfaultfd")
    );
}
