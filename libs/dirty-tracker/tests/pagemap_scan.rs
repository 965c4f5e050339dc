//! PAGEMAP_SCAN over a mapping that threads write all the while.

mod tracked;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use godwit_dirty_tracker::PagemapScan;
use godwit_ports::{Capsule, DirtySource, MemoryTable};
use tracked::{Backing, PAGE_WORDS, Shadow, map, memory, pages, words};

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
