//! A guest goes on in another arena, and what was lost or torn on the way is noticed there.

use std::sync::atomic::Ordering::Relaxed;

use godwit_guest_host::Machine;
use godwit_guest_programs::Workload;
use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::layout::PAGE_BYTES;
use godwit_ports::CapsuleError;

use super::{IDLE, arena, block, blueprint, copy, empty, errors, page, put_page, run_for_steps, state_of, writer};

/// A guest that ran for a while, paused.
fn travelled(workload: Workload, vcpu_count: u32) -> Machine {
    let machine = arena::make(blueprint(workload, vcpu_count)).unwrap();
    machine.resume().unwrap();
    run_for_steps(&machine, 200);
    machine.pause();
    machine
}

#[test]
fn every_program_goes_on_where_it_stopped() {
    for (workload, vcpu_count) in [(IDLE, 2), (Workload::L2fwd, 1), (writer(Pattern::Random), 2)] {
        let mut source = travelled(workload, vcpu_count);
        for _ in 0..3 {
            let target = empty(workload, vcpu_count);
            copy(&source, &target);
            target.load(&state_of(&source)).unwrap();
            let beats = block(&source, 0).heartbeat.load(Relaxed);
            target.resume().unwrap();
            run_for_steps(&target, 100);
            target.pause();
            assert!(block(&target, 0).heartbeat.load(Relaxed) >= beats + 100);
            assert_eq!(errors(&target), 0, "{workload:?}");
            source = target;
        }
    }
}

#[test]
fn a_lost_and_a_torn_page_are_noticed() {
    for torn in [false, true] {
        let workload = writer(Pattern::Sweep);
        let source = travelled(workload, 1);
        let area = source.plan().control.working_set;
        let index = area.address(area.page_count() / 2) / PAGE_BYTES;
        let old = page(&source, index);
        source.resume().unwrap();
        while page(&source, index) == old {
            std::thread::yield_now();
        }
        source.pause();
        let target = empty(workload, 1);
        copy(&source, &target);
        let mut damaged = old;
        if torn {
            damaged[..256].copy_from_slice(&page(&source, index)[..256]);
        }
        put_page(&target, index, &damaged);
        target.load(&state_of(&source)).unwrap();
        target.resume().unwrap();
        while errors(&target) == 0 {
            assert_eq!(target.failure(), None);
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_state_that_is_not_exactly_one_is_refused_and_changes_nothing() {
    let source = travelled(IDLE, 2);
    let state = state_of(&source);
    let target = empty(IDLE, 2);
    copy(&source, &target);
    let refused = |bytes: &[u8], what: &str| {
        assert_eq!(target.load(bytes), Err(CapsuleError::Malformed), "{what}");
        assert_eq!(target.resume(), Err(CapsuleError::Unsupported), "{what}");
    };
    for length in 0..state.len() {
        refused(&state[..length], &format!("the first {length} bytes"));
    }
    refused(&[&state[..], &[0]].concat(), "a byte more");
    // Magic, version, processors, memory, length of the card's state, program, and the beginning of the card's own.
    for position in 0..32 {
        for bit in 0..8 {
            let mut changed = state.clone();
            changed[position] ^= 1 << bit;
            refused(&changed, &format!("bit {bit} of byte {position}"));
        }
    }
    refused(&state_of(&travelled(writer(Pattern::Sweep), 2)), "another program");
    refused(&state_of(&travelled(IDLE, 1)), "another number of processors");
    target.load(&state).unwrap();
    target.resume().unwrap();
    run_for_steps(&target, 20);
    target.pause();
    assert_eq!(errors(&target), 0);
}

#[test]
fn random_bytes_behind_a_good_header_end_in_a_refusal_or_a_guest() {
    let state = state_of(&travelled(Workload::L2fwd, 1));
    let mut random = godwit_guest_programs::random::Random::new(5);
    let target = empty(Workload::L2fwd, 1);
    for _ in 0..2000 {
        let mut changed = state.clone();
        for _ in 0..=random.below(3) {
            let position = random.below(changed.len() as u64) as usize;
            changed[position] = random.next() as u8;
        }
        match target.load(&changed) {
            Ok(()) | Err(CapsuleError::Malformed) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
