//! A forwarder between two hosts: no frame is lost, doubled or reordered, whatever waits where at the switchover.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use godwit_guest_host::{Blueprint, Machine};
use godwit_guest_programs::Workload;
use godwit_nic_sim::{Cable, DEFAULT_RING_BYTES};

use super::{arena, block, blueprint, copy, errors, state_of};

const FRAME_BYTES: usize = 64;
const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn cable(name: &str) -> (PathBuf, Cable) {
    let path = PathBuf::from(format!("/dev/shm/godwit-arena-test-{}-{name}", std::process::id()));
    let cable = Cable::create(&path, DEFAULT_RING_BYTES).unwrap();
    (path, cable)
}

fn host(path: PathBuf, empty: bool) -> Machine {
    arena::make(Blueprint {
        cable_path: Some(path),
        empty,
        ..blueprint(Workload::L2fwd, 1)
    })
    .unwrap()
}

fn frame(number: u32) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    frame[..6].copy_from_slice(&HERE);
    frame[6..12].copy_from_slice(&THERE);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[14..18].copy_from_slice(&number.to_le_bytes());
    frame
}

/// Waits for the next frame that is not an announcement, and gives its number.
fn returned(cable: &mut Cable, machine: &Machine) -> u32 {
    let mut bytes = [0; 2048];
    loop {
        match cable.from_guest(1).pop(&mut bytes) {
            Some(FRAME_BYTES) if bytes[12..14] == [0x88, 0xb5] => {
                assert_eq!(
                    (&bytes[..6], &bytes[6..12]),
                    (&THERE[..], &HERE[..]),
                    "addresses are swapped"
                );
                return u32::from_le_bytes(bytes[14..18].try_into().unwrap());
            }
            Some(_) => {}
            None => assert_eq!(machine.failure(), None),
        }
        std::thread::yield_now();
    }
}

#[test]
fn frames_that_wait_travel_with_the_guest() {
    let (path, mut old_cable) = cable("old");
    let source = host(path, false);
    source.resume().unwrap();
    for number in 0..500 {
        assert!(old_cable.to_guest(0).push(&frame(number)));
        assert_eq!(returned(&mut old_cable, &source), number);
    }
    source.pause();
    for number in 500..600 {
        assert!(old_cable.to_guest(0).push(&frame(number)));
    }
    let state = state_of(&source);
    for number in 600..620 {
        assert!(old_cable.to_guest(0).push(&frame(number)));
    }
    let (path, mut new_cable) = cable("new");
    let target = host(path, true);
    copy(&source, &target);
    target.load(&state).unwrap();
    let mut late = Vec::new();
    assert_eq!(source.network().nic().drain_late(&mut late), 20);
    assert_eq!(target.network().nic().inject(&late), Ok(0));
    target.resume().unwrap();
    target.announce();
    for number in 500..620 {
        assert_eq!(returned(&mut new_cable, &target), number);
    }
    assert!(new_cable.to_guest(0).push(&frame(620)));
    assert_eq!(returned(&mut new_cable, &target), 620);
    target.pause();
    assert_eq!(errors(&target), 0);
    assert_eq!(block(&target, 0).frames_received.load(Relaxed), 621);
}
