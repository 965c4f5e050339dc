//! The KVM dirty log, KVM's dirty rings, and PAGEMAP_SCAN under a VM, while a real processor writes all the while.

#[path = "kvm_writes/endings.rs"]
mod endings;
#[path = "tracked/refusal.rs"]
mod refusal;
#[path = "kvm_writes/refused.rs"]
mod refused;
#[path = "tracked/stress.rs"]
mod stress;
mod tracked;
#[path = "tracked/vm.rs"]
mod vm;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use godwit_dirty_tracker::{KvmDirtyLog, KvmDirtyRing, PagemapScan};
use godwit_ports::{DirtySource, MemorySlot};
use stress::Forgetful;
use tracked::{Backing, PAGE_WORDS, Shadow, map, memory, pages, words};
use vm::{PAGE_COUNT, TARGETS, Vm};

/// Pages a device of this process writes, besides those the guest writes.
const DEVICE_PAGES: std::ops::Range<usize> = 3200..3400;

fn machine(backing: Backing) -> Option<Vm> {
    Vm::new(backing).map_err(|missing| eprintln!("skipped: {missing}")).ok()
}

fn logged() -> Option<Vm> {
    machine(Backing {
        device_marks: true,
        ..Backing::default()
    })
}

/// Rings of 1,024 entries: the program fills them again and again.
fn ringed() -> Option<Vm> {
    machine(Backing {
        device_marks: true,
        ring_bytes: Some(16 << 10),
        ..Backing::default()
    })
}

fn scanned() -> Option<Vm> {
    machine(Backing {
        userfault: true,
        pagemap: true,
        ..Backing::default()
    })
}

fn collected(tracker: &dyn DirtySource) -> Vec<usize> {
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64)];
    let count = tracker.collect(&mut bitmap).unwrap();
    let pages = pages(&bitmap);
    assert_eq!(pages.len() as u64, count);
    pages
}

/// Very many writes of a processor, and a look at every page before each collection. It writes at random and pays for the
/// first write to each page of a round: few pages are written twice in one.
fn none_of_very_many_writes_is_lost(name: &str, mut vm: Vm, tracker: &dyn DirtySource) {
    let pages: Vec<usize> = TARGETS.into_iter().flatten().collect();
    let running = vm.run();
    let seen = stress::run(&vm.memory, tracker, &pages, stress::duration(), &AtomicU64::new(0));
    vm.halted(running);
    tracker.stop().unwrap();
    println!(
        "{name}: {} writes, {} pages reported by {} collections, {} full rings, {} lost",
        vm.write_count(),
        seen.reported,
        seen.collections,
        vm.ring_exits(),
        seen.lost.len()
    );
    assert_eq!(seen.lost, []);
    assert!(seen.reported > 1000 && seen.collections > 50);
}

#[test]
fn the_dirty_log_loses_none_of_very_many_writes() {
    let Some(vm) = logged() else { return };
    let tracker = KvmDirtyLog::new(vm.memory.clone()).unwrap();
    none_of_very_many_writes_is_lost("kvm-dirty-log", vm, &tracker);
}

#[test]
#[ignore = "the dirty rings lose writes, or stand still, in one of ten runs: not solved yet"]
fn the_dirty_rings_lose_none_of_very_many_writes() {
    let Some(vm) = ringed() else { return };
    let tracker = KvmDirtyRing::new(vm.memory.clone()).unwrap();
    none_of_very_many_writes_is_lost("kvm-dirty-ring", vm, &tracker);
}

#[test]
fn pagemap_scan_under_a_vm_loses_none_of_very_many_writes() {
    let Some(vm) = scanned() else { return };
    let tracker = PagemapScan::new(vm.memory.clone()).unwrap();
    none_of_very_many_writes_is_lost("pagemap-scan under a VM", vm, &tracker);
}

#[test]
fn the_stress_sees_one_lost_page() {
    let Some(mut vm) = logged() else { return };
    let tracker = Forgetful::over(KvmDirtyLog::new(vm.memory.clone()).unwrap());
    let pages: Vec<usize> = TARGETS.into_iter().flatten().collect();
    let running = vm.run();
    let seen = stress::run(
        &vm.memory,
        &tracker,
        &pages,
        std::time::Duration::from_millis(300),
        &AtomicU64::new(0),
    );
    vm.halted(running);
    assert!(tracker.forgotten_page().is_some());
    assert_eq!(
        seen.lost.iter().map(|&(_, page)| page).collect::<Vec<_>>(),
        Vec::from_iter(tracker.forgotten_page())
    );
}

/// A processor and a device write; what is copied as reported is the memory in the end.
fn no_write_is_lost(mut vm: Vm, tracker: &dyn DirtySource, marks: bool) {
    let stopped = AtomicBool::new(false);
    let rounds = AtomicU64::new(0);
    let running = vm.run();
    let mut shadow = thread::scope(|scope| {
        let memory = vm.memory.clone();
        let (stopped, rounds) = (&stopped, &rounds);
        scope.spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for page in DEVICE_PAGES {
                    words(&memory)[page * PAGE_WORDS + 7].fetch_add(1, Ordering::Relaxed);
                    if marks {
                        memory.device_marks().unwrap()[page / 64].fetch_or(1 << (page % 64), Ordering::Release);
                    }
                }
                rounds.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            }
        });
        let mut shadow = Shadow::begin(&vm.memory, tracker);
        let mut reported = 0;
        let mut collections = 0;
        while collections < 40 || rounds.load(Ordering::Relaxed) < 40 {
            reported += shadow.collect(&vm.memory, tracker);
            collections += 1;
        }
        assert!(reported > 0);
        stopped.store(true, Ordering::Relaxed);
        shadow
    });
    vm.halted(running);
    shadow.collect(&vm.memory, tracker);
    // At rest nothing is reported, and running on is seen again. (The comparison comes after it: its reads populate.)
    assert_eq!(collected(tracker), [] as [usize; 0]);
    assert_eq!(shadow.stale(&vm.memory), Vec::<usize>::new());
    let running = vm.run();
    while shadow.collect(&vm.memory, tracker) == 0 {}
    vm.halted(running);
    shadow.collect(&vm.memory, tracker);
    assert_eq!(shadow.stale(&vm.memory), Vec::<usize>::new());
    tracker.stop().unwrap();
}

#[test]
#[ignore = "stands still in one of ten runs, after a triple fault of its little VM: not solved yet"]
fn the_dirty_log_loses_no_write() {
    let Some(vm) = logged() else { return };
    let tracker = KvmDirtyLog::new(vm.memory.clone()).unwrap();
    no_write_is_lost(vm, &tracker, true);
}

#[test]
#[ignore = "the dirty rings lose writes, or stand still, in one of ten runs: not solved yet"]
fn the_dirty_rings_lose_no_write() {
    let Some(vm) = ringed() else { return };
    let tracker = KvmDirtyRing::new(vm.memory.clone()).unwrap();
    no_write_is_lost(vm, &tracker, true);
}

#[test]
fn pagemap_scan_sees_the_processor_and_the_device() {
    let Some(vm) = scanned() else { return };
    let tracker = PagemapScan::new(vm.memory.clone()).unwrap();
    no_write_is_lost(vm, &tracker, false);
}

#[test]
fn what_was_written_before_the_start_is_not_reported() {
    let Some(mut vm) = logged() else { return };
    let tracker = KvmDirtyLog::new(vm.memory.clone()).unwrap();
    let counter = |vm: &Vm| words(&vm.memory)[16 * PAGE_WORDS].load(Ordering::Relaxed);
    let running = vm.run();
    while counter(&vm) == 0 {
        thread::yield_now();
    }
    vm.halted(running);
    vm.memory.device_marks().unwrap()[0].fetch_or(1, Ordering::Release);
    tracker.start().unwrap();
    assert_eq!(collected(&tracker), [] as [usize; 0]);
    vm.memory.device_marks().unwrap()[PAGE_COUNT / 64].fetch_or(1 << ((PAGE_COUNT - 1) % 64), Ordering::Release);
    assert_eq!(collected(&tracker), [PAGE_COUNT - 1]);
    // A second round of logging begins as empty as the first.
    tracker.stop().unwrap();
    assert!(tracker.collect(&mut vec![0; PAGE_COUNT.div_ceil(64)]).is_err());
    let running = vm.run();
    let before = counter(&vm);
    while counter(&vm) == before {
        thread::yield_now();
    }
    vm.halted(running);
    tracker.start().unwrap();
    assert_eq!(collected(&tracker), [] as [usize; 0]);
}

#[test]
fn says_what_is_missing() {
    let refused = |backing| KvmDirtyLog::new(memory(map(8), 8, backing).unwrap()).err().unwrap();
    assert!(refused(Backing::default()).contains("VM"));
    assert!(
        refused(Backing {
            vm_fd: Some(0),
            ..Backing::default()
        })
        .contains("slots")
    );
    let slots = vec![MemorySlot {
        slot: 3,
        reserved: 0,
        first_page: 1,
        page_count: 8,
        guest_physical_address: 0,
    }];
    assert!(
        refused(Backing {
            vm_fd: Some(0),
            slots,
            ..Backing::default()
        })
        .contains("slot 3")
    );
}
