//! A real forwarder on /dev/kvm between two ends of a cable: every frame is counted.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use godwit_guest_host::{Blueprint, Machine, SharedMemory};
use godwit_guest_programs::{Workload, l2fwd};
use godwit_nic_sim::{Cable, DEFAULT_RING_BYTES};
use godwit_ports::Memory;

use crate::machine::make;
use crate::test_guest::{MACS, block, blueprint, copy_memory, empty_twin, errors, has_kvm, saved};

const OUTSIDE: [u8; 6] = [2, 0, 0, 0, 9, 9];

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
    let source = make(plan(&here)).unwrap();
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
    let memory = target.view();
    assert_eq!(l2fwd::tally(memory).1, 0);
    assert!(block(&target, 0).frames_received.load(Relaxed) >= 4 * u64::from(FRAMES));
    // The card's writes are in the marks, page by page.
    let marks = SharedMemory(target.memory().clone());
    assert!(marks.device_marks().unwrap().iter().any(|word| word.load(Relaxed) != 0));
}
