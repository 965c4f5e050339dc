//! Real guests of threads and memory.

mod dirty;
mod forwarder;
mod life;
mod travel;
mod written;

use std::sync::atomic::Ordering::Relaxed;
use std::thread::yield_now;
use std::time::Duration;

use godwit_guest_host::{Blueprint, Machine};
use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::content::Content;
use godwit_guest_programs::layout::PAGE_BYTES;
use godwit_guest_programs::plan::Wanted;
use godwit_guest_programs::{Plan, VcpuBlock, Workload};

use crate::arena;
use crate::clock::tsc_khz;

const MEMORY_BYTES: u64 = 128 << 20;
const PAGE_COUNT: u64 = MEMORY_BYTES / PAGE_BYTES;

const IDLE: Workload = Workload::Idle { beat_microseconds: 50 };

/// Writes 8 MiB as fast as it can.
const fn writer(pattern: Pattern) -> Workload {
    Workload::Appmembench {
        working_set_bytes: 8 << 20,
        pages_per_second: 0,
        whole_pages: true,
        pattern,
    }
}

fn blueprint(workload: Workload, vcpu_count: u32) -> Blueprint {
    let wanted = Wanted {
        memory_bytes: MEMORY_BYTES,
        hole: false,
        vcpu_count,
        workload,
        resident_bytes: 40 << 20,
        content: Content::Mixed,
        seed: 7,
        tsc_khz: tsc_khz(),
    };
    Blueprint {
        plan: Plan::new(&wanted).unwrap(),
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
        cable_path: None,
        cpus: Vec::new(),
        empty: false,
        huge_pages: true,
        record_writes: true,
        dirty_ring_bytes: 0,
        idle_poll: Duration::from_micros(20),
    }
}

fn empty(workload: Workload, vcpu_count: u32) -> Machine {
    arena::make(Blueprint {
        empty: true,
        ..blueprint(workload, vcpu_count)
    })
    .unwrap()
}

fn block(machine: &Machine, index: u32) -> &'static VcpuBlock {
    VcpuBlock::of(machine.view(), index)
}

/// Returns when every thread made so many steps more. A guest that hangs is ended by the harness.
fn run_for_steps(machine: &Machine, steps: u64) {
    for index in 0..machine.plan().control.vcpu_count {
        let goal = block(machine, index).heartbeat.load(Relaxed) + steps;
        while block(machine, index).heartbeat.load(Relaxed) < goal {
            assert_eq!(machine.failure(), None);
            yield_now();
        }
    }
}

/// How many inconsistencies its programs found.
fn errors(machine: &Machine) -> u64 {
    (0..machine.plan().control.vcpu_count)
        .map(|index| block(machine, index).errors.load(Relaxed))
        .sum()
}

fn present(machine: &Machine) -> Vec<u64> {
    let mut bitmap = vec![0; PAGE_COUNT.div_ceil(64) as usize];
    let count = machine.memory().host().present(0, PAGE_COUNT, &mut bitmap).unwrap();
    assert_eq!(
        bitmap
            .iter()
            .map(|word: &u64| u64::from(word.count_ones()))
            .sum::<u64>(),
        count
    );
    bitmap
}

/// The pages whose bits are set.
fn pages_of(bitmap: &[u64]) -> impl Iterator<Item = u64> {
    (0..PAGE_COUNT).filter(|page| bitmap[(page / 64) as usize] >> (page % 64) & 1 == 1)
}

/// The bytes of a page, which the guest may be writing.
fn page(machine: &Machine, page: u64) -> [u64; 512] {
    let words: *const [u64; 512] = machine
        .memory()
        .host()
        .base()
        .wrapping_add((page * PAGE_BYTES) as usize)
        .cast();
    // SAFETY: the page lies in the memory, which is mapped as long as the machine lives.
    unsafe { words.read_volatile() }
}

fn put_page(machine: &Machine, page: u64, bytes: &[u64; 512]) {
    let words: *mut [u64; 512] = machine
        .memory()
        .host()
        .base()
        .wrapping_add((page * PAGE_BYTES) as usize)
        .cast();
    // SAFETY: as above; the machine is paused.
    unsafe { words.write_volatile(*bytes) };
}

/// Copies the populated pages of a paused guest into another one.
fn copy(from: &Machine, to: &Machine) {
    for index in pages_of(&present(from)) {
        put_page(to, index, &page(from, index));
    }
}

fn state_of(machine: &Machine) -> Vec<u8> {
    let mut state = Vec::new();
    machine.save(&mut state).unwrap();
    assert!(state.len() <= machine.state_bytes_max());
    state
}
