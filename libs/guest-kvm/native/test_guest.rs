//! Guests for the tests, and how to look at them.

use std::ptr::copy_nonoverlapping;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use godwit_guest_host::{Blueprint, Machine, SharedMemory};
use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::content::Content;
use godwit_guest_programs::plan::Wanted;
use godwit_guest_programs::{Plan, VcpuBlock, Workload};
use godwit_ports::Memory;

use crate::machine::make;

pub const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
pub const WRITER: Workload = Workload::Appmembench {
    working_set_bytes: 8 << 20,
    pages_per_second: 0,
    whole_pages: true,
    pattern: Pattern::Random,
};
pub const IDLE: Workload = Workload::Idle { beat_microseconds: 100 };

pub fn blueprint(workload: Workload, memory_bytes: u64, vcpu_count: u32) -> Blueprint {
    let wanted = Wanted {
        memory_bytes,
        hole: true,
        vcpu_count,
        workload,
        resident_bytes: 40 << 20,
        content: Content::Mixed,
        seed: 7,
        tsc_khz: crate::clock::tsc_khz().unwrap(),
    };
    Blueprint {
        plan: Plan::new(&wanted).unwrap(),
        macs: MACS,
        cable_path: None,
        cpus: Vec::new(),
        empty: false,
        huge_pages: true,
        record_writes: false,
        dirty_ring_bytes: 0,
        idle_poll: Duration::from_micros(20),
    }
}

pub fn empty_twin(of: Blueprint) -> Machine {
    make(Blueprint { empty: true, ..of }).unwrap()
}

pub fn has_kvm() -> bool {
    let there = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    if !there {
        eprintln!("SKIPPED: no /dev/kvm");
    }
    there
}

pub fn block(machine: &Machine, index: u32) -> &'static VcpuBlock {
    VcpuBlock::of(machine.view(), index)
}

pub fn heartbeats(machine: &Machine) -> Vec<u64> {
    (0..machine.plan().control.vcpu_count)
        .map(|index| block(machine, index).heartbeat.load(Relaxed))
        .collect()
}

pub fn errors(machine: &Machine) -> u64 {
    (0..machine.plan().control.vcpu_count)
        .map(|index| block(machine, index).errors.load(Relaxed))
        .sum()
}

pub fn wait_until(what: &str, machine: &Machine, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert_eq!(machine.failure(), None, "{what}");
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

pub fn run_for_beats(machine: &Machine, beats: u64) {
    let goals: Vec<_> = heartbeats(machine).iter().map(|beat| beat + beats).collect();
    wait_until("heartbeats", machine, || {
        heartbeats(machine).iter().zip(&goals).all(|(beat, goal)| beat >= goal)
    });
}

pub fn present_pages(machine: &Machine) -> Vec<usize> {
    let memory = SharedMemory(machine.memory().clone());
    let page_count = memory.length_bytes() / 4096;
    let mut bitmap = vec![0u64; page_count.div_ceil(64) as usize];
    let count = memory.present(0, page_count, &mut bitmap).unwrap();
    let pages: Vec<_> = (0..page_count as usize)
        .filter(|page| bitmap[page / 64] >> (page % 64) & 1 == 1)
        .collect();
    assert_eq!(pages.len() as u64, count);
    pages
}

pub fn page(machine: &Machine, page: usize) -> *mut u8 {
    assert!((page as u64) < machine.plan().memory_bytes / 4096);
    // SAFETY: the page lies in the mapping.
    unsafe { machine.memory().host().base().add(page * 4096) }
}

pub fn copy_memory(from: &Machine, to: &Machine) {
    for index in present_pages(from) {
        // SAFETY: both are pages of mappings of the same size; neither guest runs.
        unsafe { copy_nonoverlapping(page(from, index), page(to, index), 4096) };
    }
}

pub fn saved(machine: &Machine) -> Vec<u8> {
    let mut state = Vec::new();
    machine.save(&mut state).unwrap();
    assert!(state.len() <= machine.state_bytes_max());
    state
}
