//! Pause, resume, end.

use godwit_guest_programs::Workload;
use godwit_guest_programs::appmembench::Pattern;
use godwit_ports::CapsuleError;

use super::written::fetch_written;
use super::{IDLE, arena, blueprint, empty, errors, pages_of, present, run_for_steps, state_of, writer};

#[test]
fn pauses_and_resumes_a_thousand_times_and_writes_nothing_meanwhile() {
    for workload in [IDLE, Workload::L2fwd, writer(Pattern::Zipf)] {
        let machine = arena::make(blueprint(workload, 2)).unwrap();
        for cycle in 0..1000 {
            machine.resume().unwrap();
            if cycle % 100 == 0 {
                run_for_steps(&machine, 3);
            }
            machine.pause();
            assert!(!machine.is_running());
            if cycle % 100 == 0 {
                fetch_written(&machine);
                std::thread::yield_now();
                assert_eq!(pages_of(&fetch_written(&machine)).count(), 0, "{workload:?}");
            }
        }
        assert_eq!(errors(&machine), 0);
    }
}

#[test]
fn a_waiting_thread_is_woken_at_once() {
    // A beat of an hour: a pause that waited for it would never return.
    let hours = Workload::Idle {
        beat_microseconds: 3_600_000_000,
    };
    let machine = arena::make(blueprint(hours, 16)).unwrap();
    for _ in 0..50 {
        machine.resume().unwrap();
        machine.pause();
    }
    machine.resume().unwrap();
    machine.close().unwrap();
}

#[test]
fn an_empty_twin_populates_nothing_and_does_not_run() {
    let machine = empty(writer(Pattern::Sweep), 2);
    assert_eq!(pages_of(&present(&machine)).count(), 0);
    assert_eq!(machine.resume(), Err(CapsuleError::Unsupported));
    assert_eq!(machine.save(&mut Vec::new()), Err(CapsuleError::Unsupported));
    assert_eq!(pages_of(&present(&machine)).count(), 0);
}

#[test]
fn a_closed_guest_gives_its_memory_back_and_stays_closed() {
    let machine = arena::make(blueprint(IDLE, 1)).unwrap();
    machine.resume().unwrap();
    run_for_steps(&machine, 2);
    machine.close().unwrap();
    machine.close().unwrap();
    assert_eq!(pages_of(&present(&machine)).count(), 0);
    assert_eq!(machine.resume(), Err(CapsuleError::Closed));
}

#[test]
fn only_a_paused_guest_is_saved_and_only_one_that_has_not_run_is_loaded() {
    let machine = arena::make(blueprint(IDLE, 1)).unwrap();
    let state = state_of(&machine);
    machine.resume().unwrap();
    assert_eq!(machine.save(&mut Vec::new()), Err(CapsuleError::Os(libc::EBUSY)));
    machine.pause();
    assert_eq!(machine.load(&state), Err(CapsuleError::Os(libc::EBUSY)));
}
