//! Real guests on /dev/kvm.

use std::path::PathBuf;
use std::ptr::copy_nonoverlapping;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use godwit_guest_programs::appmembench::Pattern;
use godwit_guest_programs::content::Content;
use godwit_guest_programs::layout::PROGRAM_ADDRESS;
use godwit_guest_programs::plan::Wanted;
use godwit_guest_programs::random::Random;
use godwit_guest_programs::{Plan, VcpuBlock, Workload, l2fwd};
use godwit_nic_sim::{Cable, DEFAULT_RING_BYTES};
use godwit_ports::{CapsuleError, Memory};

use crate::guest_memory::SharedMemory;
use crate::machine::{Blueprint, Machine};

const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
const OUTSIDE: [u8; 6] = [2, 0, 0, 0, 9, 9];
const WRITER: Workload = Workload::Appmembench {
    working_set_bytes: 8 << 20,
    pages_per_second: 0,
    whole_pages: true,
    pattern: Pattern::Random,
};
const IDLE: Workload = Workload::Idle { beat_microseconds: 100 };

fn blueprint(workload: Workload, memory_bytes: u64, vcpu_count: u32) -> Blueprint {
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
        idle_poll: Duration::from_micros(20),
    }
}

fn empty_twin(of: Blueprint) -> Machine {
    Machine::new(Blueprint { empty: true, ..of }).unwrap()
}

fn has_kvm() -> bool {
    let there = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    if !there {
        eprintln!("SKIPPED: no /dev/kvm");
    }
    there
}

fn block(machine: &Machine, index: u32) -> &'static VcpuBlock {
    VcpuBlock::of(machine.memory().view(), index)
}

fn heartbeats(machine: &Machine) -> Vec<u64> {
    (0..machine.plan().control.vcpu_count)
        .map(|index| block(machine, index).heartbeat.load(Relaxed))
        .collect()
}

fn errors(machine: &Machine) -> u64 {
    (0..machine.plan().control.vcpu_count)
        .map(|index| block(machine, index).errors.load(Relaxed))
        .sum()
}

fn wait_until(what: &str, machine: &Machine, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert_eq!(machine.failure(), None, "{what}");
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn run_for_beats(machine: &Machine, beats: u64) {
    let goals: Vec<_> = heartbeats(machine).iter().map(|beat| beat + beats).collect();
    wait_until("heartbeats", machine, || {
        heartbeats(machine).iter().zip(&goals).all(|(beat, goal)| beat >= goal)
    });
}

fn present_pages(machine: &Machine) -> Vec<usize> {
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

fn page(machine: &Machine, page: usize) -> *mut u8 {
    assert!((page as u64) < machine.plan().memory_bytes / 4096);
    // SAFETY: the page lies in the mapping.
    unsafe { machine.memory().base().add(page * 4096) }
}

fn copy_memory(from: &Machine, to: &Machine) {
    for index in present_pages(from) {
        // SAFETY: both are pages of mappings of the same size; neither guest runs.
        unsafe { copy_nonoverlapping(page(from, index), page(to, index), 4096) };
    }
}

fn saved(machine: &Machine) -> Vec<u8> {
    let mut state = Vec::new();
    machine.save(&mut state).unwrap();
    assert!(state.len() <= machine.state_bytes_max());
    state
}

#[test]
fn guests_go_on_elsewhere_with_memory_above_the_hole() {
    if !has_kvm() {
        return;
    }
    for (workload, vcpu_count) in [(IDLE, 2), (WRITER, 2), (Workload::L2fwd, 1)] {
        let plan = || blueprint(workload, 8 << 30, vcpu_count);
        let source = Machine::new(plan()).unwrap();
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
            let offset = crate::guest_memory::offset_of(area.address(index)).unwrap();
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
    let machine = Machine::new(blueprint(Workload::L2fwd, 8 << 30, 1)).unwrap();
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
        let machine = Machine::new(blueprint(workload, 128 << 20, 1)).unwrap();
        for round in 0..1000 {
            machine.resume().unwrap();
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            machine.pause();
            if round % 100 == 0 {
                let sum = |machine: &Machine| {
                    let words = machine.memory().base().cast::<u64>();
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
    let source = Machine::new(plan()).unwrap();
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
    let machine = Machine::new(blueprint(IDLE, 128 << 20, 2)).unwrap();
    // SAFETY: the program lies inside the mapping; the guest does not run. 0f 0b is an invalid instruction.
    unsafe {
        machine
            .memory()
            .base()
            .add(PROGRAM_ADDRESS as usize)
            .cast::<u16>()
            .write(0x0b0f)
    };
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

/// A cable in shared memory, removed at the end.
struct Outside {
    path: PathBuf,
    cable: Cable,
}

impl Outside {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/godwit-test-{}-{name}", std::process::id()));
        let cable = Cable::create(&path, DEFAULT_RING_BYTES).unwrap();
        Self { path, cable }
    }

    /// Receives what is there; frames of the test by port, in order.
    fn receive(&mut self, returned: &mut [Vec<u32>; 2]) {
        let mut frame = [0; 2048];
        for (port, returned) in returned.iter_mut().enumerate() {
            while let Some(length) = self.cable.from_guest(port).pop(&mut frame) {
                if frame[12..14] == [0x88, 0xb5] {
                    assert_eq!(length, 64);
                    // It came in at the other port; the addresses are swapped.
                    assert_eq!(frame[..6], OUTSIDE);
                    assert_eq!(frame[6..12], MACS[port ^ 1]);
                    returned.push(u32::from_le_bytes(frame[14..18].try_into().unwrap()));
                }
            }
        }
    }

    fn send(&mut self, port: usize, number: u32) -> bool {
        let mut frame = [0x5a; 64];
        frame[..6].copy_from_slice(&MACS[port]);
        frame[6..12].copy_from_slice(&OUTSIDE);
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        frame[14..18].copy_from_slice(&number.to_le_bytes());
        self.cable.to_guest(port).push(&frame)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn the_forwarder_returns_every_frame_in_order_also_across_a_move() {
    if !has_kvm() {
        return;
    }
    const FRAMES: u32 = 20_000;
    let (mut here, there) = (Outside::new("here"), Outside::new("there"));
    let plan = |outside: &Outside| Blueprint {
        cable_path: Some(outside.path.clone()),
        ..blueprint(Workload::L2fwd, 128 << 20, 1)
    };
    let source = Machine::new(plan(&here)).unwrap();
    source.resume().unwrap();
    let mut returned = [Vec::new(), Vec::new()];
    let exchange =
        |outside: &mut Outside, machine: &Machine, numbers: std::ops::Range<u32>, returned: &mut [Vec<u32>; 2]| {
            let deadline = Instant::now() + Duration::from_secs(30);
            let mut next = [numbers.start; 2];
            while next.iter().any(|&next| next < numbers.end)
                || returned.iter().any(|back| back.len() < numbers.end as usize)
            {
                for port in 0..2 {
                    // No more under way than its rings hold, or the forwarder drops, as it should.
                    let limit = numbers.end.min(returned[port ^ 1].len() as u32 + 400);
                    while next[port] < limit && outside.send(port, next[port]) {
                        next[port] += 1;
                    }
                }
                outside.receive(returned);
                assert_eq!(machine.failure(), None);
                assert!(
                    Instant::now() < deadline,
                    "{} and {} frames are back",
                    returned[0].len(),
                    returned[1].len()
                );
                std::thread::yield_now();
            }
        };
    exchange(&mut here, &source, 0..FRAMES, &mut returned);
    // Frames that are on their way when the guest is paused: some sent by it already, some inside, some in the cable.
    for number in FRAMES..FRAMES + 500 {
        assert!(here.send(0, number) && here.send(1, number));
    }
    source.pause();
    for number in FRAMES + 500..FRAMES + 700 {
        assert!(here.send(0, number) && here.send(1, number));
    }
    let state = saved(&source);
    for number in FRAMES + 700..FRAMES + 800 {
        assert!(here.send(0, number) && here.send(1, number));
    }
    let target = empty_twin(plan(&there));
    copy_memory(&source, &target);
    target.load(&state).unwrap();
    let mut late = Vec::new();
    assert_eq!(source.network().nic().drain_late(&mut late), 200);
    assert_eq!(target.network().nic().inject(&late), Ok(0));
    here.receive(&mut returned);
    let mut there = there;
    target.resume().unwrap();
    target.announce();
    exchange(&mut there, &target, FRAMES + 800..2 * FRAMES, &mut returned);
    target.pause();
    for port in returned {
        assert!(port.iter().copied().eq(0..2 * FRAMES), "lost, doubled or reordered");
    }
    assert_eq!(errors(&target), 0);
    let memory = target.memory().view();
    assert_eq!(l2fwd::tally(memory).1, 0);
    assert!(block(&target, 0).frames_received.load(Relaxed) >= 4 * u64::from(FRAMES));
    // The card's writes are in the marks, page by page.
    let marks = SharedMemory(target.memory().clone());
    assert!(marks.device_marks().unwrap().iter().any(|word| word.load(Relaxed) != 0));
}
