use super::*;
use crate::cable::Cable;
use crate::device::tests::{Guest, cable, config};

fn nic(path: &std::path::Path) -> Nic {
    let mut nic = Nic::new(config(), Some(Cable::open(path).unwrap()));
    nic.connect();
    nic
}

fn state(nic: &mut Nic) -> Vec<u8> {
    let mut out = Vec::new();
    nic.save(&mut out);
    assert!(out.len() <= Nic::state_bytes_max());
    out
}

#[test]
fn frames_that_wait_travel_before_late_ones_before_new_ones() {
    let (mut world_a, path_a) = cable("state-a");
    let (mut world_b, path_b) = cable("state-b");
    let guest = Guest::new();
    guest.offer(0);
    let mut source = nic(&path_a);
    for value in [1, 2] {
        assert!(world_a.to_guest(0).push(&[value; 64]));
    }
    assert_eq!(source.poll(&guest, 1), 1);
    assert_eq!(guest.received(0, 0), Some(vec![1; 64]));
    let saved = state(&mut source);
    assert!(world_a.to_guest(0).is_empty());
    // Saving again says the same: nothing is taken out of the card.
    assert_eq!(state(&mut source), saved);

    assert!(world_a.to_guest(0).push(&[3; 64]));
    let mut late = Vec::new();
    assert_eq!(source.drain_late(&mut late), 1);
    let mut none = Vec::new();
    assert_eq!((source.drain_late(&mut none), none.len()), (0, 0));

    let mut destination = nic(&path_b);
    assert!(world_b.to_guest(0).push(&[4; 64]));
    destination.load(&saved).unwrap();
    assert_eq!(destination.inject(&late), Ok(0));
    assert_eq!(destination.poll(&guest, 32), 3);
    for index in 0..3 {
        assert_eq!(guest.received(0, index + 1), Some(vec![index as u8 + 2; 64]));
    }
    assert_eq!(destination.counters(0).received_frames, 4);
}

#[test]
fn a_source_that_goes_on_after_saving_loses_nothing() {
    let (mut world, path) = cable("state-resume");
    let guest = Guest::new();
    guest.offer(1);
    let mut source = nic(&path);
    assert!(world.to_guest(1).push(&[1; 64]));
    state(&mut source);
    assert!(world.to_guest(1).push(&[2; 64]));
    assert_eq!(source.poll(&guest, 32), 2);
    assert_eq!(guest.received(1, 0), Some(vec![1; 64]));
    assert_eq!(guest.received(1, 1), Some(vec![2; 64]));
}

#[test]
fn hostile_states_are_refused_and_change_nothing() {
    let (mut world, path) = cable("state-hostile");
    let mut source = nic(&path);
    for _ in 0..5 {
        assert!(world.to_guest(0).push(&[7; 64]));
    }
    let saved = state(&mut source);
    let mut target = Nic::new(config(), None);
    let before = state(&mut target);
    for length in 0..saved.len() {
        assert!(target.load(&saved[..length]).is_err());
    }
    let mut longer = saved.clone();
    longer.push(0);
    assert_eq!(target.load(&longer), Err(StateError::Malformed));
    assert_eq!(state(&mut target), before);
    // Any one byte changed: refused or taken, never a panic, and what is taken is bounded.
    for index in 0..saved.len() {
        let mut changed = saved.clone();
        changed[index] ^= 0xff;
        if target.load(&changed).is_ok() {
            assert_eq!(state(&mut target), changed);
        }
    }
    let mut other = config();
    other.ports[1].mac[5] ^= 1;
    assert_eq!(Nic::new(other, None).load(&saved), Err(StateError::OtherCard));
    assert_eq!(target.inject(&saved), Err(StateError::Unknown));
    assert_eq!(
        target.inject(b"GWNF\xff\xff\xff\xff\0\0\0\0"),
        Err(StateError::Malformed)
    );
}

#[test]
fn frames_beyond_the_bound_are_counted_or_stay() {
    let mut target = Nic::new(config(), None);
    let record_count = 1000;
    let mut block = b"GWNF".to_vec();
    block.extend_from_slice(&(record_count * 68_u32).to_le_bytes());
    for _ in 0..record_count {
        block.extend_from_slice(&64_u32.to_le_bytes());
        block.extend_from_slice(&[1; 64]);
    }
    block.extend_from_slice(&0_u32.to_le_bytes());
    let dropped: u64 = (0..5).map(|_| target.inject(&block).unwrap()).sum();
    assert_eq!(5 * u64::from(record_count) - dropped, BACKLOG_BYTES_MAX as u64 / 2 / 68);
    assert_eq!(target.counters(0).backlog_dropped_frames, dropped);
    assert!(state(&mut target).len() <= Nic::state_bytes_max());
}
