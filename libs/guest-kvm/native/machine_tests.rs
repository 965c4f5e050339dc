//! Real guests on /dev/kvm.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use godwit_guest_programs::content::Content;
use godwit_guest_programs::plan::Wanted;
use godwit_guest_programs::{Plan, VcpuBlock, Workload};

use crate::machine::{Blueprint, Machine};

fn blueprint(workload: Workload, memory_bytes: u64, vcpu_count: u32, empty: bool) -> Blueprint {
    let wanted = Wanted {
        memory_bytes,
        hole: true,
        vcpu_count,
        workload,
        resident_bytes: 40 << 20,
        content: Content::Mixed,
        seed: 7,
        tsc_khz: 2_000_000,
    };
    Blueprint {
        plan: Plan::new(&wanted).unwrap(),
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
        cable_path: None,
        cpus: Vec::new(),
        empty,
        huge_pages: true,
        record_writes: false,
        idle_poll: Duration::from_micros(20),
    }
}

fn has_kvm() -> bool {
    let there = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    if !there {
        eprintln!("SKIPPED: no /dev/kvm");
    }
    there
}

fn heartbeat(machine: &Machine, index: u32) -> u64 {
    VcpuBlock::of(machine.memory().view(), index).heartbeat.load(Relaxed)
}

fn run_for_beats(machine: &Machine, beats: u64) {
    for index in 0..machine.plan().control.vcpu_count {
        let goal = heartbeat(machine, index) + beats;
        let deadline = Instant::now() + Duration::from_secs(20);
        while heartbeat(machine, index) < goal {
            assert_eq!(machine.failure(), None);
            assert!(Instant::now() < deadline, "no heartbeat");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_guest_boots_and_pauses_and_goes_on_elsewhere() {
    if !has_kvm() {
        return;
    }
    let workload = Workload::Idle { beat_microseconds: 100 };
    let source = Machine::new(blueprint(workload, 8 << 30, 2, false)).unwrap();
    source.resume().unwrap();
    run_for_beats(&source, 50);
    let began = Instant::now();
    source.pause();
    let paused = began.elapsed();
    let mut state = Vec::with_capacity(source.state_bytes_max());
    let began = Instant::now();
    source.save(&mut state).unwrap();
    let saved = began.elapsed();
    let before = [heartbeat(&source, 0), heartbeat(&source, 1)];
    let target = Machine::new(blueprint(workload, 8 << 30, 2, true)).unwrap();
    let mut bitmap = vec![0; (8 << 30) / 4096 / 64];
    use godwit_ports::Memory;
    let shared = crate::guest_memory::SharedMemory(source.memory().clone());
    let began = Instant::now();
    let present = shared.present(0, (8 << 30) / 4096, &mut bitmap).unwrap();
    eprintln!("present {present} pages in {:?}", began.elapsed());
    for page in 0..(8 << 30) / 4096 {
        if bitmap[page / 64] >> (page % 64) & 1 == 1 {
            unsafe {
                std::ptr::copy_nonoverlapping(
                    source.memory().base().add(page * 4096),
                    target.memory().base().add(page * 4096),
                    4096,
                )
            };
        }
    }
    let began = Instant::now();
    target.load(&state).unwrap();
    let loaded = began.elapsed();
    let began = Instant::now();
    target.resume().unwrap();
    let resumed = began.elapsed();
    run_for_beats(&target, 20);
    eprintln!(
        "pause {paused:?} save {saved:?} ({} bytes) load {loaded:?} resume {resumed:?}",
        state.len()
    );
    assert_eq!(before, [heartbeat(&source, 0), heartbeat(&source, 1)]);
    assert_eq!(VcpuBlock::of(target.memory().view(), 0).errors.load(Relaxed), 0);
}
