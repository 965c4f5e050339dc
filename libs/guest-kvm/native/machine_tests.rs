//! Real guests on /dev/kvm.

use std::time::{Duration, Instant};

use godwit_guest_host::{Blueprint, Machine};
use godwit_guest_programs::Workload;
use godwit_guest_programs::layout::PROGRAM_ADDRESS;
use godwit_guest_programs::random::Random;
use godwit_ports::CapsuleError;
use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, kvm_userspace_memory_region};

use crate::machine::make;
use crate::test_guest::{
    IDLE, MACS, WRITER, blueprint, copy_memory, empty_twin, errors, has_kvm, heartbeats, page, present_pages,
    run_for_beats, saved, wait_until,
};

/// `_IOW(0xae, 0x46, struct kvm_userspace_memory_region)`.
const KVM_SET_USER_MEMORY_REGION: libc::Ioctl = 0x4020_ae46;

#[test]
fn guests_go_on_elsewhere_with_memory_above_the_hole() {
    if !has_kvm() {
        return;
    }
    for (workload, vcpu_count) in [(IDLE, 2), (WRITER, 2), (Workload::L2fwd, 1)] {
        let plan = || blueprint(workload, 8 << 30, vcpu_count);
        let source = make(plan()).unwrap();
        source.resume().unwrap();
        run_for_beats(&source, 200);
        let target = empty_twin(plan());
        assert_eq!(target.resume(), Err(CapsuleError::Unsupported));
        assert_eq!(present_pages(&target), []);
        source.pause();
        let state = saved(&source);
        copy_memory(&source, &target);
        let before = heartbeats(&source);
        assert_eq!(heartbeats(&target), before);
        target.load(&state).unwrap();
        target.resume().unwrap();
        run_for_beats(&target, 200);
        assert_eq!(heartbeats(&source), before);
        target.pause();
        assert_eq!(errors(&target), 0, "{workload:?}");
        // And it would have told: a page of the working set or of the content that did not arrive is an error.
        let lost = target.plan().control;
        let area = if lost.working_set.page_count() > 0 {
            lost.working_set
        } else {
            lost.resident
        };
        for index in 0..area.page_count() {
            let offset = target.memory().host().offset_of(area.address(index)).unwrap();
            // SAFETY: a page of the mapping; the guest does not run.
            unsafe {
                page(&target, (offset / 4096) as usize)
                    .cast::<u64>()
                    .add(100)
                    .write(0x1234_5678_9abc_def0)
            };
        }
        target.resume().unwrap();
        wait_until("an error", &target, || errors(&target) > 0);
    }
}

#[test]
fn resident_memory_is_what_was_asked_for() {
    if !has_kvm() {
        return;
    }
    let machine = make(blueprint(Workload::L2fwd, 8 << 30, 1)).unwrap();
    machine.resume().unwrap();
    run_for_beats(&machine, 100);
    machine.pause();
    let resident_bytes = present_pages(&machine).len() as u64 * 4096;
    assert!(resident_bytes.abs_diff(40 << 20) < 1 << 20, "{resident_bytes}");
    machine.close().unwrap();
    assert_eq!(present_pages(&machine), []);
    assert_eq!(machine.resume(), Err(CapsuleError::Closed));
}

#[test]
fn slots_of_memory_that_was_given_back_cannot_be_made_anew() {
    if !has_kvm() {
        return;
    }
    // Memory on both sides of the hole: two slots.
    let machine = make(blueprint(IDLE, 8 << 30, 1)).unwrap();
    let memory = machine.memory();
    let switch = |flags| {
        memory.slots().iter().map(move |slot| {
            let region = kvm_userspace_memory_region {
                slot: slot.slot,
                flags,
                guest_phys_addr: slot.guest_physical_address,
                memory_size: slot.page_count * 4096,
                userspace_addr: memory.host().base() as u64 + slot.first_page * 4096,
            };
            // SAFETY: the slot as its owner made it, over the mapping, which is there.
            let result = unsafe { libc::ioctl(memory.vm_fd(), KVM_SET_USER_MEMORY_REGION, &raw const region) };
            (result == 0).then_some(()).ok_or_else(CapsuleError::last_os)
        })
    };
    assert_eq!(switch(KVM_MEM_LOG_DIRTY_PAGES).collect::<Vec<_>>(), [Ok(()); 2]);
    machine.close().unwrap();
    for flags in [0, KVM_MEM_LOG_DIRTY_PAGES] {
        let refused = Err(CapsuleError::Os(libc::EINVAL));
        assert_eq!(switch(flags).collect::<Vec<_>>(), [refused; 2]);
    }
    machine.close().unwrap();
}

#[test]
fn nothing_is_written_while_paused_however_often_it_is_kicked() {
    if !has_kvm() {
        return;
    }
    for workload in [
        WRITER,
        Workload::L2fwd,
        Workload::Idle {
            beat_microseconds: 1_000_000,
        },
    ] {
        let machine = make(blueprint(workload, 128 << 20, 1)).unwrap();
        for round in 0..1000 {
            machine.resume().unwrap();
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            machine.pause();
            if round % 100 == 0 {
                let sum = |machine: &Machine| {
                    let words = machine.memory().host().base().cast::<u64>();
                    let mut sum = 0u64;
                    for index in (0..(128 << 20) / 8).step_by(8) {
                        // A word of every cache line: programs here write whole lines or counters that begin one.
                        // SAFETY: the whole mapping may be read.
                        sum = sum.rotate_left(1) ^ unsafe { words.add(index).read_volatile() };
                    }
                    sum
                };
                assert_eq!(sum(&machine), sum(&machine));
            }
        }
        machine.resume().unwrap();
        machine.resume().unwrap();
        // A writer that ran on while it was held to be paused, or twice at once, would have torn its pages.
        run_for_beats(&machine, 2);
        machine.pause();
        machine.pause();
        assert_eq!(errors(&machine), 0);
        assert_eq!(machine.failure(), None);
    }
}

#[test]
fn a_damaged_state_is_refused_and_leaves_the_guest_as_it_was() {
    if !has_kvm() {
        return;
    }
    let plan = || blueprint(IDLE, 128 << 20, 2);
    let source = make(plan()).unwrap();
    source.resume().unwrap();
    run_for_beats(&source, 10);
    assert_eq!(source.save(&mut Vec::new()), Err(CapsuleError::Os(libc::EBUSY)));
    source.pause();
    let good = saved(&source);
    assert_eq!(source.load(&good), Err(CapsuleError::Os(libc::EBUSY)));
    let target = empty_twin(plan());
    copy_memory(&source, &target);
    for length in (0..good.len()).step_by(97) {
        assert_eq!(
            target.load(&good[..length]),
            Err(CapsuleError::Malformed),
            "{length} bytes"
        );
    }
    let one_more = [good.as_slice(), &[0]].concat();
    assert_eq!(target.load(&one_more), Err(CapsuleError::Malformed));
    let mut random = Random::new(1);
    let mut refused = 0;
    for _ in 0..400 {
        let mut bad = good.clone();
        for _ in 0..=random.below(6) {
            let position = random.below(bad.len() as u64) as usize;
            bad[position] = random.next() as u8;
        }
        // Not everything that was changed is wrong to a processor; what is must be refused, and nothing else may come.
        match target.load(&bad) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, CapsuleError::Malformed);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    target.load(&good).unwrap();
    target.resume().unwrap();
    run_for_beats(&target, 10);
    target.pause();
    assert_eq!(errors(&target), 0);
    // A state of another guest.
    let other = empty_twin(blueprint(IDLE, 128 << 20, 1));
    assert_eq!(other.load(&good), Err(CapsuleError::Malformed));
    let other = empty_twin(Blueprint {
        macs: [MACS[1], MACS[0]],
        ..plan()
    });
    assert_eq!(other.load(&good), Err(CapsuleError::Malformed));
}

#[test]
fn a_guest_that_crashes_says_so() {
    if !has_kvm() {
        return;
    }
    let machine = make(blueprint(IDLE, 128 << 20, 2)).unwrap();
    // An invalid instruction.
    let ud2 = [0x0f, 0x0b];
    assert!(machine.memory().host().write(PROGRAM_ADDRESS, &ud2));
    let mut first = [0; 2];
    assert!(machine.memory().host().read(PROGRAM_ADDRESS, &mut first) && first == ud2);
    assert!(
        !machine
            .memory()
            .host()
            .read(machine.plan().memory_bytes - 1, &mut first)
    );
    assert!(!machine.memory().host().write(u64::MAX, &ud2));
    machine.resume().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while machine.failure().is_none() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert!(
        machine.failure().unwrap().contains("the guest stopped"),
        "{:?}",
        machine.failure()
    );
    assert!(!machine.is_running());
    assert_eq!(machine.resume(), Err(CapsuleError::Closed));
    machine.pause();
}
